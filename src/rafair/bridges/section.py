"""What a model card says about a run, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.report.cautions import warnings
from rafair.report.words import answer
from rafair.runs.summary import headline

if TYPE_CHECKING:
    from rafair.display import Table
    from rafair.runs import AuditResult

__all__ = ["TITLE", "markdown_table", "section"]

TITLE = "Robust accurate fairness"
# Characters that Markdown or HTML would read; a backslash takes their meaning away.
SPECIAL = "\\`*_{}[]()<>#|~&"


def section(run: AuditResult) -> str:
    """Return the answer of a run as Markdown without a heading; every text in it is escaped."""
    table = headline(run.metrics, run.manifest["plan"]["epsilon"])
    told = [*answer(run), *(f"Note: {each}" for each in warnings(run))]
    version, digest = run.manifest["versions"]["rafair"], run.manifest["model"]["sha256"]
    made = f"Made by rafair {version} from the model with SHA-256 {digest[:12]}…."
    lines = [f"- {plain(sentence)}" for sentence in told]
    return "\n".join([f"{plain(table.title)}:", "", markdown_table(table), "", *lines, "", made])


def markdown_table(table: Table) -> str:
    """Return the rows of a table in Markdown."""
    rows = [table.heads, ("---",) * len(table.heads), *table.rows]
    escaped = [row if row is rows[1] else tuple(map(plain, row)) for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def plain(text: str) -> str:
    """Take the meaning from everything that Markdown or HTML would read in a text."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in SPECIAL else c for c in line)
