"""What a person at a terminal sees: tables on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rafair.report.tables import Table

__all__ = ["console", "progress", "show_table"]


def console() -> Console:
    """Return standard output, without markup, since names come from data."""
    return Console(markup=False, highlight=False, emoji=False)


def show_table(table: Table, *, wide: bool = False) -> None:
    """Print a table; ``wide`` turns it, so that many columns become rows."""
    drawn = RichTable(
        title=Text(table.title),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1),
        pad_edge=False,
    )
    heads, rows = _turned(table) if wide else (table.heads, table.rows)
    for place, head in enumerate(heads):
        drawn.add_column(Text(head), justify="right" if place else "left", no_wrap=True)
    for place, row in enumerate(rows):
        if not wide and place in table.groups and place:
            drawn.add_row()
        drawn.add_row(*(Text(value) for value in row))
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
