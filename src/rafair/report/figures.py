"""Vector figures in one style; colours from Okabe and Ito, told apart by the colour-blind."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from rafair.report.words import headline_attack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rafair.auditing import AuditResult

__all__ = ["draw_figures"]

# True fair, true biased, false fair, false biased.
COLOURS = {"tfr": "#009E73", "tbr": "#E69F00", "ffr": "#56B4E9", "fbr": "#D55E00"}
NAMES = {"tfr": "true fair", "tbr": "true biased", "ffr": "false fair", "fbr": "false biased"}
PLACES = {"tfr": (0, 0), "tbr": (1, 0), "ffr": (0, 1), "fbr": (1, 1)}
INK, FAINT = "#222222", "#888888"

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rafair",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_figures(run: AuditResult) -> dict[str, bytes]:
    """Return every figure of a run as SVG, by name."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Texts stay text in the SVG; a glyph that matplotlib's own font lacks, the reader's has.
        warnings.filterwarnings("ignore", "Glyph")
        return {"confusion": _svg(_confusion(run)), "sensitive": _svg(_sensitive(run))}


def _confusion(run: AuditResult) -> Figure:
    """Draw the fairness confusion matrix, before and after the strongest attack.

    Each tile's area is its rate: the four of a matrix fill one unit square together.
    """
    name = headline_attack(run.metrics)
    panels = [("clean seeds", run.metrics["clean"]), (name, run.metrics["attacks"][name])]
    if name in run.metrics["repairs"]:
        panels.append((f"{name} + benign", run.metrics["repairs"][name]))
    figure = _figure(3.1 * len(panels), 3.1)
    for axes, (title, rates) in zip(_axes(figure, len(panels)), panels, strict=True):
        _matrix(axes, title, rates)
    return figure


def _matrix(axes: Axes, title: str, rates: dict[str, Any]) -> None:
    from matplotlib.patches import Rectangle

    for key, (column, row) in PLACES.items():
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="#f4f4f4", edgecolor="white", lw=3))
        side = rates[key] ** 0.5 * 0.94
        corner = (column + (1 - side) / 2, row + (1 - side) / 2)
        axes.add_patch(Rectangle(corner, side, side, facecolor=COLOURS[key], alpha=0.85, lw=0))
        text: dict[str, Any] = {"ha": "center", "va": "center"}
        axes.text(column + 0.5, row + 0.44, f"{rates[key]:.3f}", fontsize=13, weight="bold", **text)
        axes.text(column + 0.5, row + 0.62, NAMES[key], fontsize=9, **text)
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axes.set_xticks([0.5, 1.5], ["fair", "biased"])
    axes.set_yticks([0.5, 1.5], ["true", "false"])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=11)


def _sensitive(run: AuditResult) -> Figure:
    """Draw IF (clean) against R-IF (strongest attack), per sensitive attribute."""
    name = headline_attack(run.metrics)
    scopes = [
        (attribute, rates["clean"], rates["attacks"][name])
        for attribute, rates in run.metrics["by_sensitive"].items()
    ]
    if len(scopes) > 1:
        scopes.append(("all jointly", run.metrics["clean"], run.metrics["attacks"][name]))
    figure = _figure(6.2, 0.9 + 0.5 * len(scopes))
    (axes,) = _axes(figure, 1)
    series = (
        ("IF, clean", 0, "#0072B2", -0.12, "if"),
        (f"R-IF, {name}", 1, "#D55E00", 0.12, "r_if"),
    )
    for label, which, colour, offset, key in series:
        for place, scope in enumerate(scopes):
            rates: dict[str, Any] = scope[1 + which]
            low, high = rates["ci"][key]
            axes.plot([low, high], [place + offset] * 2, color=colour, lw=2, alpha=0.5)
            marker = "o" if which == 0 else "s"
            shown = label if place == 0 else None
            axes.plot([rates[key]], [place + offset], marker, color=colour, ms=7, label=shown)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(scopes) - 0.5, -0.5))
    axes.set_xlabel("share of people decided alike, with 95 % interval")
    axes.set_yticks(range(len(scopes)), [scope[0] for scope in scopes], parse_math=False)
    axes.grid(axis="x", color="#dddddd", lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _axes(figure: Figure, n: int) -> list[Axes]:
    return [figure.add_subplot(1, n, place + 1) for place in range(n)]


def _svg(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
