"""Figure 1, drawn for a trained network with two movable features and one sensitive feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import CELL_COLOURS, INK
from rafair.reproduce.cells.drawn import MODES, DrawnCell
from rafair.reproduce.document import Picture, Section
from rafair.reproduce.part import Part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from rafair.reproduce.cell import Cache

__all__ = ["PARTS"]

CELL = DrawnCell()
COLOURS = {"true_biased": "tbr", "false_fair": "ffr", "false_biased": "fbr"}


def _write(cache: Cache) -> Section:
    found = cache.result(CELL)
    schema = cache.data(CELL.dataset).schema
    sensitive = schema.features[schema.index(CELL.sensitive)]
    own, other = (str(value) for value in sensitive.decode(found["sensitive"].numpy()))
    truth = schema.classes[int(found["y"])]
    caption = (
        f"Figure 1. Where FCNN(6), trained on {CELL.horizontal}, {CELL.vertical} and "
        f"{CELL.sensitive} of {CELL.dataset}, changes its decision for {own} (solid) and for "
        f"{other} (dashed), and {CELL.walk_steps} steps of each mode of RAFair from one person "
        f"(dot; {own}, truth {truth}). True biased crosses the line of {other} only, false biased "
        f"that of {own} only, false fair both."
    )
    if int(found["hits"]) < len(MODES):
        caption += f" Only {int(found['hits'])} of the three modes reached their cell."
    data = {mode: found[mode].tolist() for mode in MODES}
    picture = Picture("figure1", _draw(found, own, other), caption)
    return Section("Figure 1: the three modes, drawn", [picture], data)


def _draw(found: dict[str, Tensor], own: str, other: str) -> bytes:
    with style():
        figure = new_figure(6.4, 4.4)
        (axes,) = axes_of(figure, 1)
        right = 1 if int(found["y"]) else -1
        axis = np.linspace(0, 1, len(found["own"]))
        both = np.minimum(found["own"].numpy() * right, found["other"].numpy() * right)
        axes.contourf(axis, axis, both, levels=[0, np.inf], colors=["#009E73"], alpha=0.12)
        for margins, dashes in ((found["own"], "solid"), (found["other"], "dashed")):
            axes.contour(axis, axis, margins.numpy(), levels=[0], colors=[INK], linestyles=dashes)
        for label, dashes in ((f"decision changes for {own}", "-"), (f"for {other}", "--")):
            axes.plot([], [], dashes, color=INK, label=label)
        for mode in MODES:
            _path(axes, found[mode], mode)
        start = found["true_biased"][0].tolist()
        axes.plot(*start, "o", color=INK, ms=7, zorder=5)
        axes.fill_between([], [], color="#009E73", alpha=0.12, label="both decided rightly")
        points = np.concatenate([found[mode].numpy() for mode in MODES])
        low, high = points.min(axis=0), points.max(axis=0)
        room = 0.35 * (high - low).max() + 0.02
        axes.set(
            xlim=(max(0, low[0] - room), min(1, high[0] + room)),
            ylim=(max(0, low[1] - room), min(1, high[1] + room)),
            xlabel=f"{CELL.horizontal} (unit space)",
            ylabel=f"{CELL.vertical} (unit space)",
        )
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg(figure)


def _path(axes: Axes, points: Tensor, mode: str) -> None:
    colour = CELL_COLOURS[COLOURS[mode]]
    xs, ys = points.T.tolist()
    axes.plot(xs, ys, color=colour, lw=2.4, label=mode.replace("_", " "), zorder=4)
    axes.plot(xs[-1], ys[-1], "s", color=colour, ms=7, zorder=5)


PARTS = (Part("figure1", 1, lambda _: [CELL], _write, CELL.dataset),)
