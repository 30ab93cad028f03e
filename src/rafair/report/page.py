"""The page report.html: one self-contained file with every name and value escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED, UNDECIDED
from rafair.report.advised import (
    advice_sentences,
    advice_table,
    guard_table,
    label_free_tables,
)
from rafair.report.bars import clean_bar, robust_bar
from rafair.report.cautions import cautions
from rafair.report.explorer import people_shown
from rafair.report.figures import draw_figures, draw_panels
from rafair.report.harmed import harmed
from rafair.report.lead import lead_of
from rafair.report.method import LIMITS, command_of, facts
from rafair.report.people import chosen_stories
from rafair.report.tables import (
    certificates_table,
    headline_table,
    members_tables,
    rates_table,
    repairable_table,
    sensitive_table,
)
from rafair.report.templating import inline_panel, render
from rafair.report.words import (
    attribute,
    counted,
    dissent,
    either,
    has_curve,
    repaired,
    shape,
    strongest_attack,
)
from rafair.runs.files import replace_file

if TYPE_CHECKING:
    from rafair.report.bars import Bar
    from rafair.runs import AuditResult

__all__ = ["render_pages", "write_report"]

REPORT = "report.html"
# Notes beside the answer; more of them, and lighter ones, stand at the end.
FEW = 4
LEGEND = (
    "TF: right and fair. TB: right, but somebody alike is decided otherwise. FF: wrong for "
    "everyone alike. FB: wrong, and somebody alike is decided otherwise."
)
SECTIONS = {
    "answer": "Answer",
    "harmed": "Who is harmed?",
    "attribute": "Which attribute?",
    "change": "How much change?",
    "people": "People",
    "matrix": "Before and after",
    "repairs": "Repairs and advice",
    "method": "Method and limits",
}


def write_report(run: AuditResult, path: str | Path) -> None:
    """Write the report of a run as one HTML file without outside references.

    Parameters
    ----------
    run : AuditResult
    path : str or Path
        An existing file is replaced as a whole; it is never half written.

    Raises
    ------
    InvalidInput
        If the path is a directory, its parent does not exist, or the disk is full.
    """
    replace_file(Path(path), _page(run))


def render_pages(run: AuditResult) -> dict[str, bytes]:
    """Return the report and its figures: file name within a run directory → content."""
    figures = {f"figures/{name}.svg": svg for name, svg in draw_figures(run).items()}
    return {REPORT: _page(run), **figures}


def _page(run: AuditResult) -> bytes:
    told = cautions(run)
    grave = [caution for caution in told if caution.is_grave][:FEW]
    panels = {
        name: [inline_panel(svg) for svg in drawn] for name, drawn in draw_panels(run).items()
    }
    tables = _tables(run)
    page = render(
        "report.html.j2",
        **_colours(),
        metrics=run.metrics,
        manifest=run.manifest,
        schema=run.manifest["schema"],
        either=either(run.manifest["schema"]["sensitive"]),
        contents=_contents(has_repairs=_has_repairs(run.metrics)),
        headline=strongest_attack(run.metrics),
        lead=lead_of(run),
        grave=grave,
        later=told[len(grave) :],
        harmed=harmed(run),
        attributes=_attributes(run.metrics),
        words=_words(run),
        proves=run.manifest["proofs"]["why_not"] is None,
        legend=LEGEND,
        panels=panels,
        tables=tables,
        stories=chosen_stories(run),
        people=people_shown(run),
        facts=facts(run),
        limits=LIMITS,
        command=command_of(run.manifest),
    )
    return page.encode()


def _colours() -> dict[str, Any]:
    return {"cells": CELL_COLOURS, "proved": PROVED, "broken": BROKEN, "undecided": UNDECIDED}


def _has_repairs(metrics: dict[str, Any]) -> bool:
    """Whether a run was repaired or advised on."""
    return bool(metrics["repairs"]) or "label_free" in metrics or "advice" in metrics


def _contents(*, has_repairs: bool) -> list[tuple[str, str]]:
    """Return the sections that a page has."""
    return [part for part in SECTIONS.items() if has_repairs or part[0] != "repairs"]


def _words(run: AuditResult) -> dict[str, str | None]:
    """Return the sentences that stand above sections."""
    metrics, name = run.metrics, strongest_attack(run.metrics)
    return {
        "attribute": attribute(metrics),
        "dissent": dissent(metrics["clean"], metrics["attacks"][name], name),
        "shape": shape(metrics["attacks"][name], name, counted(run)),
        "repaired": repaired(metrics),
        "advice": " ".join(advice_sentences(run)) if "advice" in metrics else None,
    }


def _tables(run: AuditResult) -> dict[str, Any]:
    curve = run.metrics["certificates"]["curve"] if has_curve(run) else None
    return {
        "headline": headline_table(run),
        "rates": rates_table(run),
        "guard": guard_table(run),
        "sensitive": sensitive_table(run),
        "members": members_tables(run),
        "certificates": None if curve is None else certificates_table(run.metrics, curve),
        "repairable": repairable_table(run),
        "label_free": label_free_tables(run),
        "advice": advice_table(run),
    }


def _attributes(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Bar]]]:
    """Return the shares of each sensitive attribute alone, and of all jointly."""
    scopes = [*metrics["by_sensitive"].items()]
    if len(scopes) > 1:
        scopes.append(("all jointly", metrics))
    return [
        (
            name,
            {key: clean_bar(rates["clean"], key) for key in ("if", "af")}
            | {key: robust_bar(rates["robust"][key]) for key in ("r_if", "r_af")},
        )
        for name, rates in scopes
    ]
