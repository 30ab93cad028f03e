"""The figures of a run as SVG: files of the run directory, and single panels for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.plots import (
    CLAIMS,
    band_of,
    curve_rows,
    draw_bands,
    draw_matrix,
    draw_shares,
    matrix_rows,
)
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import BROKEN, LINE, PROVED
from rafair.report.words import has_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rafair.plots.rows import Band
    from rafair.runs import AuditResult

__all__ = ["draw_curve", "draw_figures", "draw_panels"]

# Inches of a panel: a phone shows it without making its text smaller.
BAND, MATRIX = (3.6, 2.7), (3.4, 3.6)


def draw_figures(run: AuditResult) -> dict[str, bytes]:
    """Return every figure of a run as SVG, by name."""
    with style():
        drawn = {"confusion": svg(_confusion(run)), "sensitive": svg(_sensitive(run))}
        if has_curve(run):
            drawn["robustness"] = svg(_bands(_rows(run)))
        return drawn


def draw_panels(run: AuditResult) -> dict[str, list[bytes]]:
    """Return the panels of the page: ``matrix`` and ``curves``."""
    with style():
        found: dict[str, list[bytes]] = {"matrix": [], "curves": []}
        for title, rates in matrix_rows(run.metrics):
            figure = new_figure(*MATRIX)
            draw_matrix(axes_of(figure, 1)[0], title, rates)
            found["matrix"].append(svg(figure))
        for row in _rows(run):
            figure = new_figure(*BAND)
            (axes,) = axes_of(figure, 1)
            draw_bands(axes, *row)
            found["curves"].append(svg(figure))
        return found


def draw_curve(curve: list[dict[str, Any]]) -> bytes:
    """Draw the certificates at several ε as SVG: the share proved and the share not broken."""
    with style():
        return svg(_bands([band_of(curve, claim) for claim in CLAIMS if claim in _claims(curve)]))


def _rows(run: AuditResult) -> list[Band]:
    return curve_rows(run.metrics, run.manifest["plan"]["epsilon"])


def _claims(curve: list[dict[str, Any]]) -> dict[str, Any]:
    claims: dict[str, Any] = curve[0]["claims"]
    return claims


def _bands(rows: Sequence[Band]) -> Figure:
    figure = new_figure(2.9 * len(rows), 2.7)
    for axes, row in zip(axes_of(figure, len(rows)), rows, strict=True):
        draw_bands(axes, *row)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _confusion(run: AuditResult) -> Figure:
    """Draw the fairness confusion matrix: clean, under the strongest attack, repaired."""
    rows = matrix_rows(run.metrics)
    figure = new_figure(3.1 * len(rows), 3.3)
    for axes, (title, rates) in zip(axes_of(figure, len(rows)), rows, strict=True):
        draw_matrix(axes, title, rates)
    return figure


def _sensitive(run: AuditResult) -> Figure:
    """Draw IF against R-IF, per sensitive attribute; a bar shows where the true R-IF may lie."""
    scopes = [*run.metrics["by_sensitive"].items()]
    if len(scopes) > 1:
        scopes.append(("all jointly", run.metrics))
    figure = new_figure(6.2, 0.9 + 0.5 * len(scopes))
    (axes,) = axes_of(figure, 1)
    for place, (_, rates) in enumerate(scopes):
        _scope(axes, place, rates)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(scopes) - 0.5, -0.5))
    axes.set_xlabel("share of people decided alike, with 95 % interval")
    axes.set_yticks(range(len(scopes)), [scope[0] for scope in scopes], parse_math=False)
    axes.grid(axis="x", color=LINE, lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _scope(axes: Axes, place: int, rates: dict[str, Any]) -> None:
    first, clean, robust = place == 0, rates["clean"], rates["robust"]["r_if"]
    proved, most = robust["at_least"], robust["at_most"]
    label = "IF, clean" if first else None
    draw_shares(axes, place - 0.12, clean["ci"]["if"], [clean["if"]], PROVED, label)
    ends = (robust["ci"].get("at_least", robust["ci"]["at_most"])[0], robust["ci"]["at_most"][1])
    marks, label = ([most], "R-IF, at most") if proved is None else ([proved, most], "R-IF")
    draw_shares(axes, place + 0.12, ends, marks, BROKEN, label if first else None)
