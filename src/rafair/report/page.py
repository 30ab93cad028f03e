"""The page report.html: one self-contained file with every name and value escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rafair.report.figures import draw_figures
from rafair.report.people import worst_stories
from rafair.report.tables import (
    Table,
    certificates_table,
    headline_table,
    members_tables,
    rates_table,
    repairable_table,
    sensitive_table,
)
from rafair.report.templating import inline_svg, render
from rafair.report.words import access, answer, has_curve, strongest_attack, warnings
from rafair.runs.files import replace_file

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["render_pages", "write_report"]

REPORT = "report.html"


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
    replace_file(Path(path), render_pages(run)[REPORT])


def _certificates(run: AuditResult) -> Table | None:
    if not has_curve(run):
        return None
    return certificates_table(run.metrics, run.metrics["certificates"]["curve"])


def render_pages(run: AuditResult) -> dict[str, bytes]:
    """Return the report and its figures: file name within a run directory → content."""
    figures = draw_figures(run)
    page = render(
        "report.html.j2",
        run=run,
        metrics=run.metrics,
        manifest=run.manifest,
        headline=strongest_attack(run.metrics),
        answer=answer(run),
        access=access(run.manifest),
        warnings=warnings(run),
        tables={
            "headline": headline_table(run),
            "rates": rates_table(run),
            "repairable": repairable_table(run),
            "sensitive": sensitive_table(run),
            "members": members_tables(run),
            "certificates": _certificates(run),
        },
        stories=worst_stories(run),
        figures={name: inline_svg(svg) for name, svg in figures.items()},
    )
    pages = {f"figures/{name}.svg": svg for name, svg in figures.items()}
    return {REPORT: page.encode(), **pages}
