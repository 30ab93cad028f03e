"""What a person at a terminal sees: tables on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rafair.report.tables import Table

__all__ = ["console", "plain", "progress", "show_table"]


class _PlainConsole(Console):
    """Prints texts as they are, but for characters that would steer the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        shown = [plain(text) if isinstance(text, str) else text for text in objects]
        super().print(*shown, **options)


def plain(text: str) -> str:
    """Return a text in which a question mark stands for each character that cannot be printed."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def console() -> Console:
    """Return standard output, without markup, since names come from data."""
    return _PlainConsole(markup=False, highlight=False, emoji=False)


def show_table(table: Table, *, wide: bool = False) -> None:
    """Print a table; ``wide`` turns it, so that many columns become rows."""
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


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on standard error while it is a terminal and nobody asked for quiet."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    columns = (TextColumn("{task.description:<12}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )
