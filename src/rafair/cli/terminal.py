"""Output at a terminal: tables on standard output, progress on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@dataclass(frozen=True)
class _Pace:
    """When this process started a phase of the work, and how much was done before."""

    total: int
    before: int
    start: float

    def shown(self, done: int, now: float, unit: str | None) -> tuple[str, str]:
        """Return the rate and the expected end as text; empty while they are not known.

        Work of an earlier process is not counted in the rate.
        """
        new, seconds = done - self.before, now - self.start
        if new <= 0 or seconds <= 0:
            return "", ""
        rate = new / seconds
        end = datetime.fromtimestamp(now + (self.total - done) / rate)
        today = end.date() == datetime.fromtimestamp(now).date()
        digits = 0 if rate >= 100 else 1 if rate >= 1 else 3
        speed = f"{rate:,.{digits}f} {unit}/s" if unit else ""
        return speed, f"ends {end:%H:%M:%S}" if today else f"ends {end:%d %b %H:%M}"


@contextlib.contextmanager
def progress(*, quiet: bool, unit: str | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on standard error if that is a terminal, unless ``quiet``.

    The bar shows the share that is done, the rate if it has a unit, the elapsed time, and the
    expected end.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[end]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=None, rate="", end="")
        pace = _Pace(0, 0, 0.0)
        last = 0

        def report(what: str, done: int, total: int) -> None:
            nonlocal pace, last
            if total != pace.total or done < last:
                pace = _Pace(total, done, time.time())
            last = done
            rate, end = pace.shown(done, time.time(), unit)
            name = plain(what)
            bar.update(task, description=name, completed=done, total=total, rate=rate, end=end)

        yield report
