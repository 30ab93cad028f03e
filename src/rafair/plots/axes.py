"""The figures of an audit, each drawn on axes of matplotlib from the numbers of ``metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.plots.palette import BROKEN, CELL_COLOURS, CELL_NAMES, FAINT, INK, LINE, PROVED
from rafair.plots.palette import UNDECIDED as OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from rafair.analysis import Group

__all__ = ["draw_bands", "draw_groups", "draw_matrix", "draw_shares"]

# The column and row of each cell: fair or biased, true or false.
PLACES = {"tfr": (0, 0), "tbr": (1, 0), "ffr": (0, 1), "fbr": (1, 1)}


def draw_bands(
    axes: Axes,
    title: str,
    radii: Sequence[float],
    proved: Sequence[float] | None,
    unbroken: Sequence[float],
) -> None:
    """Draw, against ε, the share proved and the share not broken; the truth lies between.

    The lines are steps, because no rate rises with ε: between two values of ε it is at least what
    is proved at the larger one, and at most what is not broken at the smaller one.

    Parameters
    ----------
    radii, proved, unbroken : sequence of float, of one length
        In rising order of ε; ``proved`` is None without certificates.
    """
    floor = np.zeros(len(radii)) if proved is None else np.asarray(proved)
    # Both ends of every step.
    sides = np.repeat(radii, 2)[1:-1]
    low, high = np.repeat(floor[1:], 2), np.repeat(unbroken[:-1], 2)
    axes.fill_between(
        sides, low, high, color=OPEN, alpha=0.45, lw=0, label="undecided or not asked"
    )
    axes.step(
        radii, unbroken, "s-", where="post", color=BROKEN, ms=8, mfc="none", lw=1.2,
        label="not broken",
    )  # fmt: skip
    if proved is not None:
        axes.step(radii, proved, "o-", where="pre", color=PROVED, ms=4, lw=1.2, label="proved")
    axes.set(ylim=(-0.03, 1.03), title=title, xlabel="ε, share of the range")
    axes.set_xlim(left=-0.03 * radii[-1])
    axes.locator_params(axis="x", nbins=4)
    axes.grid(color=LINE, lw=0.8)
    axes.set_axisbelow(True)


def draw_matrix(axes: Axes, title: str, rates: Mapping[str, Any]) -> None:
    """Draw the fairness confusion matrix (Table 1): four tiles, each with its rate and a bar.

    Parameters
    ----------
    rates : mapping
        ``tfr``, ``tbr``, ``ffr``, ``fbr``, shares in [0, 1].

    Source: Li et al., arXiv:2404.01356v1, Table 1.
    """
    from matplotlib.patches import Rectangle

    for key, (column, row) in PLACES.items():
        x, y, colour = column + 0.04, row + 0.04, CELL_COLOURS[key]
        axes.add_patch(Rectangle((x, y), 0.92, 0.92, facecolor="none", edgecolor=colour, lw=1.5))
        axes.add_patch(Rectangle((x, row + 0.76), 0.92, 0.2, facecolor=colour, alpha=0.18, lw=0))
        axes.add_patch(Rectangle((x, row + 0.76), 0.92 * rates[key], 0.2, facecolor=colour, lw=0))
        axes.text(column + 0.12, row + 0.24, CELL_NAMES[key], fontsize=10, va="center")
        axes.text(column + 0.12, row + 0.52, f"{rates[key]:.3f}", fontsize=17, va="center")
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axes.set_xticks([0.5, 1.5], ["fair", "biased"])
    axes.set_yticks([0.5, 1.5], ["true", "false"], rotation=90, va="center")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=11, parse_math=False)


def draw_shares(
    axes: Axes,
    y: float,
    interval: Sequence[float],
    marks: Sequence[float],
    colour: str,
    label: str | None = None,
) -> None:
    """Draw a share, or two between which it lies, on the line ``y``, with its interval."""
    axes.plot(interval, [y, y], color=colour, lw=2, alpha=0.5)
    axes.plot(marks, [y] * len(marks), "o-", color=colour, ms=7, lw=4, label=label)


def draw_groups(axes: Axes, groups: Sequence[Group]) -> None:
    """Draw, for groups of people, the share decided otherwise than a counterpart, and R-AF.

    Parameters
    ----------
    groups : sequence of Group
        Of one attribute, or of a pair.
    """
    for place, group in enumerate(groups):
        first = place == 0
        clean, robust = group.clean, group.r_af
        named = "decided otherwise than a counterpart, clean" if first else None
        share = [clean["otherwise"]]
        draw_shares(axes, place - 0.14, clean["ci"]["otherwise"], share, BROKEN, named)
        low, most = robust["at_least"], robust["at_most"]
        marks = [most] if low is None else [low, most]
        ci = robust["ci"]
        ends = (ci.get("at_least", ci["at_most"])[0], ci["at_most"][1])
        named = "R-AF" if low is not None else "R-AF, at most"
        draw_shares(axes, place + 0.14, ends, marks, PROVED, named if first else None)
    _name_rows(axes, groups)


def _name_rows(axes: Axes, groups: Sequence[Group]) -> None:
    names = [
        f"{', '.join(group.levels)}  (n = {group.n}{', small' if group.is_small else ''})"
        for group in groups
    ]
    axes.set(xlim=(-0.02, 1.02), ylim=(len(groups) - 0.5, -0.5))
    axes.set_xlabel("share of the group, with 95 % interval")
    axes.set_yticks(range(len(groups)), names, parse_math=False)
    for text, group in zip(axes.get_yticklabels(), groups, strict=True):
        text.set_color(FAINT if group.is_small else INK)
    axes.set_title(" × ".join(groups[0].attributes), fontsize=11, parse_math=False)
    axes.grid(axis="x", color=LINE, lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1.08))
