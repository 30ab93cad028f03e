"""Output at a terminal: tables on standard output, progress on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rafair.engine import Progress
    from rafair.report.tables import Table

__all__ = ["console", "plain", "progress", "show_table"]


class _PlainConsole(Console):
    """Prints texts unchanged, except for characters that would control the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        shown = [plain(text) if isinstance(text, str) else text for text in objects]
        super().print(*shown, **options)


def plain(text: str) -> str:
    """Replace every character that cannot be printed by a question mark."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def console() -> Console:
    """Return standard output without markup, which names from data could contain."""
    return _PlainConsole(markup=False, highlight=False, emoji=False)


def show_table(table: Table, *, wide: bool = False) -> None:
    """Print a table; ``wide`` transposes it, so that many columns become rows."""
    drawn = RichTable(
        title=Text(plain(table.title)),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1),
        pad_edge=False,
    )
    heads, rows = _turned(table) if wide else (table.heads, table.rows)
    for place, head in enumerate(heads):
        drawn.add_column(Text(plain(head)), justify="right" if place else "left", no_wrap=True)
    for place, row in enumerate(rows):
        if not wide and place in table.groups and place:
            drawn.add_row()
        drawn.add_row(*(Text(plain(value)) for value in row))
    console().print(drawn)


def _turned(table: Table) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    heads, *rows = zip(table.heads, *table.rows, strict=True)
    return tuple(heads), [tuple(row) for row in rows]


def progress(*, quiet: bool, unit: str | None = None) -> AbstractContextManager[Progress]:
    """Show a progress bar on standard error if that is a terminal, unless ``quiet``."""
    from rafair.engine.bars import progress_bar

    return progress_bar(False if quiet else None, unit=unit, after=0.0)
