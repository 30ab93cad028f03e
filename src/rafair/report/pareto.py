"""The trade-off between accuracy and certified R-AF, as a table and as a picture."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rafair.display import Table
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import FAINT, INK, LINE, PALETTE
from rafair.training.pareto import BASELINE, CONSTANT, best_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rafair.training.pareto import Point

__all__ = ["draw_pareto", "pareto_table"]

# Methods differ in colour, and from the seventh on in shape, too: of the palette's last two colours
# one is the ink of the marks, the other hardly visible on white.
COLOURS, SHAPES = PALETTE[:6], "oD"
MARKS = {BASELINE: "s", CONSTANT: "*"}
PANELS = (("accuracy", "r_af", "R-AF"), ("balanced_accuracy", "r_af_balanced", "balanced R-AF"))


def pareto_table(points: Sequence[Point], title: str) -> Table:
    """Return every model's figures; a ● marks what no other beats, plain and balanced."""
    plain = {point.name for point in best_points(points, balanced=False)}
    balanced = {point.name for point in best_points(points, balanced=True)}
    rows = []
    for point in points:
        found = point.figures
        left = (found.attacked, found.attacked_balanced)
        rows.append(
            (
                point.name,
                f"{found.accuracy:.3f}",
                f"{found.r_af:.3f}",
                "●" if point.name in plain else "",
                f"{found.balanced_accuracy:.3f}",
                f"{found.r_af_balanced:.3f}",
                "●" if point.name in balanced else "",
                *(f"{share:.3f}" for share in left),
            )
        )
    heads = (
        "",
        "accuracy",
        "proved R-AF",
        "best",
        "balanced accuracy",
        "balanced R-AF",
        "best",
        "attacked R-AF",
        "attacked, balanced",
    )
    return Table(title, heads, rows)


def draw_pareto(points: Sequence[Point], epsilon: float) -> bytes:
    """Draw accuracy against proved R-AF, plain and balanced, as SVG."""
    with style():
        return svg(_drawn(points, epsilon))


def _drawn(points: Sequence[Point], epsilon: float) -> Figure:
    figure = new_figure(10.4, 4.2)
    looks = _looks(points)
    panels = axes_of(figure, len(PANELS))
    for axes, (accuracy, share, name) in zip(panels, PANELS, strict=True):
        best = best_points(points, balanced=accuracy.startswith("balanced"))
        ends = [(getattr(p.figures, share), getattr(p.figures, accuracy)) for p in best]
        axes.plot(*zip(*ends, strict=True), color=FAINT, lw=1.0, ls=":", zorder=1)
        for point in points:
            _mark(axes, point, (share, accuracy), looks)
        axes.set(
            xlabel=f"{name}, proved at ε = {epsilon:g}",
            ylabel=accuracy.replace("_", " "),
            xlim=(-0.03, 1.0),
        )
        axes.grid(color=LINE, lw=0.8)
        axes.set_axisbelow(True)
    _legend(panels[-1], looks, points)
    return figure


def _looks(points: Sequence[Point]) -> dict[str, tuple[str, str]]:
    """Return the shape and the colour of each method."""
    methods = dict.fromkeys(p.method for p in points if p.method not in MARKS)
    looks = itertools.cycle(itertools.product(SHAPES, COLOURS))
    return dict(zip(methods, looks, strict=False))


def _mark(
    axes: Axes, point: Point, names: tuple[str, str], looks: dict[str, tuple[str, str]]
) -> None:
    """Draw a model; filled where it reads no sensitive column, larger where classes weigh alike."""
    x, y = (getattr(point.figures, name) for name in names)
    if point.training is None:
        width = 14 if point.name == CONSTANT else 8
        axes.plot(x, y, MARKS[point.name], color=INK, mec="white", ms=width, zorder=4)
        return
    (shape, colour), is_blind = looks[point.method], point.training.without_sensitive
    size = 6 + 4 * point.training.balance
    fill = colour if is_blind else "none"
    axes.plot(x, y, shape, color=colour, mfc=fill, ms=size, mew=1.5, zorder=3)


def _legend(axes: Axes, looks: dict[str, tuple[str, str]], points: Sequence[Point]) -> None:
    for name, (shape, colour) in looks.items():
        axes.plot([], [], shape, color=colour, ms=7, label=name)
    axes.plot([], [], "o", color=FAINT, mfc="none", mew=1.5, ms=7, label="reads sensitive columns")
    axes.plot([], [], "o", color=FAINT, ms=10, label="larger: classes weigh alike")
    for name in MARKS:
        if any(point.name == name for point in points):
            axes.plot([], [], MARKS[name], color=INK, ms=9, label=name)
    axes.plot([], [], color=FAINT, lw=1.0, ls=":", label="no other is better in both")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
