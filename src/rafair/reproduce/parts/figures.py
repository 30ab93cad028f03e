"""Figures 2, 4, 5, 6: losses while RAFair runs. Figures 3, 7, 8, 9: trends of these losses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from rafair.analysis import median_slopes
from rafair.attacks.registry import variants_of
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import CELL_COLOURS, CELL_NAMES, FAINT, PALETTE
from rafair.report.tables import Table
from rafair.reproduce.cells.trends import trend_cells
from rafair.reproduce.document import Grid, Picture, Section
from rafair.reproduce.part import Part
from rafair.reproduce.parts.tables import MODES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from rafair.reproduce.cell import Cache
    from rafair.reproduce.cells.trends import TrendCell
    from rafair.reproduce.document import Block
    from rafair.reproduce.study import Study

__all__ = ["AREAS", "PARTS", "area_of", "area_shares", "slopes_of", "trends_of"]

# Dataset → numbers of the paper's figures: losses, trends.
NUMBERS = {"bank": (2, 3), "adult": (4, 7), "compas": (5, 8), "credit": (6, 9)}
# The area of each mode: the signs of the slopes at the instance and at its counterpart.
AREAS = {"tfr": (-1, -1), "tbr": (-1, 1), "ffr": (1, 1), "fbr": (1, -1)}
UNCHANGED = "unchanged"


def trends_of(study: Study, dataset: str) -> list[TrendCell]:
    """Return the cells behind a dataset's two figures."""
    _, variants = variants_of("rafair")
    return trend_cells(study, dataset, variants)


def area_of(slopes: Tensor) -> list[str]:
    """Name the area of each pair of slopes (n, 2); a pair with a zero slope is "unchanged"."""
    names = {signs: name for name, signs in AREAS.items()}
    return [names.get((int(a), int(b)), UNCHANGED) for a, b in slopes.sign().tolist()]


def area_shares(slopes: Tensor) -> dict[str, float]:
    """Return the share of the pairs of slopes (n, 2) that lie in each area."""
    found = area_of(slopes)
    return {name: found.count(name) / len(found) for name in (*AREAS, UNCHANGED)}


def slopes_of(cache: Cache, dataset: str) -> dict[str, Tensor]:
    """Return for each mode the slopes at all instances and at their counterparts, (n, 2)."""
    return {
        cell.variant: _slopes(cache.result(cell)["losses"])
        for cell in trends_of(cache.study, dataset)
    }


def _slopes(losses: Tensor) -> Tensor:
    return torch.stack([median_slopes(losses[:, :, who]) for who in (0, 1)], dim=1)


def _typical(trends: dict[str, Tensor]) -> tuple[int, bool]:
    """Return the first seed that lies in the mode's area under most modes, and if under all."""
    hits = torch.stack(
        [
            torch.tensor([area == MODES[variant] for area in area_of(slopes)])
            for variant, slopes in trends.items()
        ]
    ).sum(dim=0)
    return int(hits.argmax()), bool(hits.max() == len(trends))


def _write_losses(cache: Cache, dataset: str) -> Section:
    number = NUMBERS[dataset][0]
    cells = trends_of(cache.study, dataset)
    results = {cell.variant: cache.result(cell) for cell in cells}
    place, typical = _typical(slopes_of(cache, dataset))
    row = int(results[cells[0].variant]["rows"][place])
    series = {name: r["losses"][:, place] for name, r in results.items()}
    kind = "the first seed whose losses" if typical else "no seed's losses all"
    rest = (
        "take each mode's own direction" if typical else "take it; the first of those with the most"
    )
    caption = (
        f"Figure {number}. Mean squared error of one instance of {dataset} (test row {row}: {kind} "
        f"{rest}) and of its counterpart, the same person all along, over "
        f"{cache.study.trend_steps} iterations of the three modes."
    )
    picture = Picture(f"figure{number}", _draw_losses(series), caption)
    data = {dataset: {"row": row, "losses": {name: s.tolist() for name, s in series.items()}}}
    return Section(f"Figure {number}: losses under RAFair, {dataset}", [picture], data)


def _draw_losses(series: dict[str, Tensor]) -> bytes:
    with style():
        figure = new_figure(3.1 * len(series), 2.7)
        for axes, (name, losses) in zip(axes_of(figure, len(series)), series.items(), strict=True):
            axes.plot(losses[:, 0].tolist(), color=PALETTE[0], lw=2, label="instance v")
            axes.plot(losses[:, 1].tolist(), "--", color=PALETTE[1], lw=2, label="counterpart v'")
            axes.set_title(CELL_NAMES[MODES[name]], fontsize=11)
            axes.set_xlabel("iteration")
            axes.margins(y=0.12)
            if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
                axes.set_ylabel("loss")
                axes.legend(frameon=False, fontsize=9)
        return svg(figure)


def _write_trends(cache: Cache, dataset: str) -> Section:
    number = NUMBERS[dataset][1]
    slopes = slopes_of(cache, dataset)
    shares = {name: area_shares(points) for name, points in slopes.items()}
    caption = (
        f"Figure {number}. Slopes of the median of the loss against the iteration, at "
        f"{cache.study.trend_seeds} instances of {dataset} (β̂₁) and at their counterparts (β̂₁'); "
        f"{cache.study.trend_steps} iterations. Axes are linear near zero and logarithmic beyond."
    )
    heads = ("mode", *(CELL_NAMES[area] for area in AREAS), UNCHANGED, "in its own area")
    rows = [
        (name, *(f"{share:.2f}" for share in found.values()), f"{found[MODES[name]]:.2f}")
        for name, found in shares.items()
    ]
    table = Table("Share of points in each area", heads, rows)
    data = {
        dataset: {
            name: {"slopes": slopes[name].tolist(), "shares": shares[name]} for name in slopes
        }
    }
    drawing = _draw_trends(slopes, shares)
    blocks: list[Block] = [Picture(f"figure{number}", drawing, caption), Grid(table)]
    return Section(f"Figure {number}: trends of losses, {dataset}", blocks, data)


def _draw_trends(slopes: dict[str, Tensor], shares: dict[str, dict[str, float]]) -> bytes:
    with style():
        figure = new_figure(3.3 * len(slopes), 3.3)
        for axes, name in zip(axes_of(figure, len(slopes)), slopes, strict=True):
            _scatter(axes, slopes[name], shares[name])
            axes.set_title(f"{CELL_NAMES[MODES[name]]} attack", fontsize=11)
            axes.set_xlabel("β̂₁ of the instance")
            if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
                axes.set_ylabel("β̂₁' of its counterpart")
        return svg(figure)


def _scatter(axes: Axes, points: Tensor, shares: dict[str, float]) -> None:
    reach = max(float(points.abs().max()), 1e-3)
    colours = [CELL_COLOURS.get(area, FAINT) for area in area_of(points)]
    xs, ys = points.T.tolist()
    axes.scatter(xs, ys, c=colours, s=16, alpha=0.7, lw=0)
    scale: dict[str, Any] = {"linthresh": reach / 1000, "linscale": 0.4}
    axes.set_xscale("symlog", **scale)
    axes.set_yscale("symlog", **scale)
    edge = 60 * reach  # room for the names of the areas, on a logarithmic axis
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge))
    ticks = [-reach, 0, reach]
    labels = [f"{tick:.0e}" if tick else "0" for tick in ticks]
    axes.set_xticks(ticks, labels, fontsize=8)
    axes.set_yticks(ticks, labels, fontsize=8)
    axes.minorticks_off()
    axes.axhline(0, color=FAINT, lw=0.8)
    axes.axvline(0, color=FAINT, lw=0.8)
    for area, (a, b) in AREAS.items():
        axes.text(
            0.5 + 0.47 * a,
            0.5 + 0.47 * b,
            f"{CELL_NAMES[area]}\n{shares[area]:.0%}",
            transform=axes.transAxes,
            ha="right" if a > 0 else "left",
            va="top" if b > 0 else "bottom",
            fontsize=8.5,
        )


def _parts() -> tuple[Part, ...]:
    found = []
    for dataset, (losses, trends) in NUMBERS.items():
        cells = partial(trends_of, dataset=dataset)
        for number, write in ((losses, _write_losses), (trends, _write_trends)):
            write_it = partial(write, dataset=dataset)
            found.append(Part(f"figure{number}", 10 + number, cells, write_it, dataset))
    return tuple(found)


PARTS = _parts()
