"""The figures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.report.drawing import CELL_COLOURS, CELL_NAMES, axes_of, new_figure, style, svg
from rafair.report.tables import CLAIMS
from rafair.report.words import has_curve, strongest_attack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rafair.runs import AuditResult

__all__ = ["draw_curve", "draw_figures"]

CLEAN = {"accurate_fair": "af", "accurate": "acc", "fair": "if"}
PLACES = {"tfr": (0, 0), "tbr": (1, 0), "ffr": (0, 1), "fbr": (1, 1)}


def draw_figures(run: AuditResult) -> dict[str, bytes]:
    """Return every figure of a run as SVG, by name."""
    with style():
        drawn = {"confusion": svg(_confusion(run)), "sensitive": svg(_sensitive(run))}
        if has_curve(run):
            start = [(run.metrics["clean"][CLEAN[claim]],) * 2 for claim in CLAIMS]
            drawn["robustness"] = svg(_bands(run.metrics["certificates"]["curve"], start))
        return drawn


def draw_curve(curve: list[dict[str, Any]]) -> bytes:
    """Draw the certificates at several ε as SVG: the share proved and the share not broken."""
    with style():
        return svg(_bands(curve, [None] * len(CLAIMS)))


def _bands(curve: list[dict[str, Any]], start: Sequence[tuple[float, float] | None]) -> Figure:
    """Draw, against ε, the share proved and the share not broken; the true share lies between.

    ``start`` holds both shares at ε = 0 for each claim, or None if they are unknown.
    """
    panels = [
        (claim, at) for claim, at in zip(CLAIMS, start, strict=True) if claim in curve[0]["claims"]
    ]
    figure = new_figure(2.9 * len(panels), 2.7)
    for axes, (claim, at) in zip(axes_of(figure, len(panels)), panels, strict=True):
        rates = [point["claims"][claim] for point in curve]
        radii = [point["epsilon"] for point in curve]
        proved = [rate["proved"] for rate in rates]
        whole = [1 - rate["broken"] for rate in rates]
        if at is not None:
            radii, proved, whole = [0.0, *radii], [at[0], *proved], [at[1], *whole]
        axes.fill_between(
            radii, proved, whole, color="#CC79A7", alpha=0.45, lw=0, label="undecided"
        )
        axes.plot(radii, whole, "s-", color="#D55E00", ms=8, mfc="none", lw=1.2, label="not broken")
        axes.plot(radii, proved, "o-", color="#0072B2", ms=4, lw=1.2, label="proved")
        axes.set(ylim=(-0.03, 1.03), title=CLAIMS[claim], xlabel="ε, share of the range")
        axes.set_xlim(left=-0.03 * radii[-1])
        axes.locator_params(axis="x", nbins=4)
        axes.grid(color="#dddddd", lw=0.8)
        axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _confusion(run: AuditResult) -> Figure:
    """Draw the fairness confusion matrix, before and after the strongest attack.

    The area of each tile is proportional to its rate.
    """
    name = strongest_attack(run.metrics)
    panels = [("clean seeds", run.metrics["clean"]), (name, run.metrics["attacks"][name])]
    if name in run.metrics["repairs"]:
        panels.append((f"{name} + benign", run.metrics["repairs"][name]))
    figure = new_figure(3.1 * len(panels), 3.1)
    for axes, (title, rates) in zip(axes_of(figure, len(panels)), panels, strict=True):
        _matrix(axes, title, rates)
    return figure


def _matrix(axes: Axes, title: str, rates: dict[str, Any]) -> None:
    from matplotlib.patches import Rectangle

    for key, (column, row) in PLACES.items():
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="#f4f4f4", edgecolor="white", lw=3))
        side = rates[key] ** 0.5 * 0.94
        corner = (column + (1 - side) / 2, row + (1 - side) / 2)
        axes.add_patch(Rectangle(corner, side, side, facecolor=CELL_COLOURS[key], alpha=0.85, lw=0))
        text: dict[str, Any] = {"ha": "center", "va": "center"}
        axes.text(column + 0.5, row + 0.44, f"{rates[key]:.3f}", fontsize=13, weight="bold", **text)
        axes.text(column + 0.5, row + 0.62, CELL_NAMES[key], fontsize=9, **text)
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axes.set_xticks([0.5, 1.5], ["fair", "biased"])
    axes.set_yticks([0.5, 1.5], ["true", "false"])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=11)


def _sensitive(run: AuditResult) -> Figure:
    """Draw IF against R-IF, per sensitive attribute; a bar shows where the true R-IF may lie."""
    scopes = [*run.metrics["by_sensitive"].items()]
    if len(scopes) > 1:
        scopes.append(("all jointly", run.metrics))
    figure = new_figure(6.2, 0.9 + 0.5 * len(scopes))
    (axes,) = axes_of(figure, 1)
    for place, (_, rates) in enumerate(scopes):
        shown = place == 0
        clean, robust = rates["clean"], rates["robust"]["r_if"]
        proved, most = robust["at_least"], robust["at_most"]
        low, high = clean["ci"]["if"]
        _mark(axes, place - 0.12, (low, high), [clean["if"]], "#0072B2", "IF, clean" * shown)
        lowest = robust["ci"].get("at_least", robust["ci"]["at_most"])[0]
        ends = (lowest, robust["ci"]["at_most"][1])
        label = "R-IF, at most" if proved is None else "R-IF"
        marks = [most] if proved is None else [proved, most]
        _mark(axes, place + 0.12, ends, marks, "#D55E00", label * shown)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(scopes) - 0.5, -0.5))
    axes.set_xlabel("share of people decided alike, with 95 % interval")
    axes.set_yticks(range(len(scopes)), [scope[0] for scope in scopes], parse_math=False)
    axes.grid(axis="x", color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _mark(
    axes: Axes, y: float, ends: tuple[float, float], marks: list[float], colour: str, label: str
) -> None:
    """Draw an interval as a thin line, and on it the marks with a thick line between them."""
    axes.plot(ends, [y, y], color=colour, lw=2, alpha=0.5)
    axes.plot(marks, [y] * len(marks), "o-", color=colour, ms=7, lw=4, label=label or None)
