"""A verdict as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from rafair.display import printable

if TYPE_CHECKING:
    from rafair.gating.verdict import GateVerdict

__all__ = ["as_markdown"]

HEADS = ("limit", "verdict", "found")
# Characters that Markdown would read; a backslash takes their meaning away.
SPECIAL = "\\`*_{}[]()#+!|~"


def as_markdown(verdict: GateVerdict) -> str:
    """Return the verdict, a table of its checks, and what was judged; every text is escaped."""
    rows = [
        (c.name, f"**{c.word}**" if c.status != "pass" else c.word, c.found) for c in verdict.checks
    ]
    lines = [
        f"### rafair gate: {verdict.word}",
        "",
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *(f"| `{name}` | {word} | {_plain(found)} |" for name, word, found in rows),
        "",
        "; ".join(f"{name} {_plain(_short(name, value))}" for name, value in verdict.facts) + ".",
    ]
    return "\n".join(lines) + "\n"


def _short(name: str, value: str) -> str:
    return f"{value[:12]}…" if name.endswith("sha256") else value


def _plain(text: str) -> str:
    """Take the meaning from everything that Markdown or HTML would read in a text."""
    shown = escape(printable(text), quote=False)
    return "".join(f"\\{c}" if c in SPECIAL else c for c in shown)
