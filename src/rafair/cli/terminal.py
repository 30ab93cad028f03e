"""Output: tables on standard output, progress on standard error.

A terminal has a width, to which lines are broken. A pipe or a file has none: there every sentence
and every row of a table is one line, unless ``COLUMNS`` is set.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from rafair.engine import Progress
    from rafair.report.tables import Table

# Longest line of a table where lines are not broken, and the seconds before a line of progress.
UNBROKEN, LONG = 100_000, 30.0
# Blanks between two columns of a table.
GAP = 2

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
    return _PlainConsole(markup=False, highlight=False, emoji=False, soft_wrap=not _has_width())


def _has_width() -> bool:
    return sys.stdout.isatty() or "COLUMNS" in os.environ


def show_table(table: Table, *, wide: bool = False) -> None:
    """Print a table; ``wide`` transposes it, so that many columns become rows.

    Columns for which the terminal is too narrow follow below, beside the first column again.
    """
    heads, rows = _turned(table) if wide else (table.heads, list(table.rows))
    groups = () if wide else table.groups
    if not _has_width():
        _show_unbroken(_drawn(table.title, heads, rows, groups, table.texts))
        return
    blocks = [tuple(range(len(heads)))] if table.texts else _blocks([heads, *rows], console().width)
    for number, places in enumerate(blocks):
        kept = [tuple(row[place] for place in places) for row in (heads, *rows)]
        if number:
            console().print()
        title = "" if number else table.title
        console().print(_drawn(title, kept[0], kept[1:], groups, table.texts))


def _blocks(lines: Sequence[tuple[str, ...]], width: int) -> list[tuple[int, ...]]:
    """Return the columns to print beside each other: the first one, and as many as there is room.

    Parameters
    ----------
    lines : sequence of tuple of str
        Heads and rows.
    width : int
        Of the terminal.
    """
    widths = [
        max(cell_len(plain(text)) for text in column) + GAP for column in zip(*lines, strict=True)
    ]
    blocks: list[list[int]] = [[0]]
    room = width + GAP - widths[0]
    left = room
    for place, needed in enumerate(widths[1:], start=1):
        if needed > left and len(blocks[-1]) > 1:
            blocks.append([0])
            left = room
        blocks[-1].append(place)
        left -= needed
    return [tuple(block) for block in blocks]


def _drawn(
    title: str,
    heads: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    groups: Sequence[int],
    texts: Sequence[int],
) -> RichTable:
    drawn = RichTable(
        title=Text(plain(title)) if title else None,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, GAP // 2),
        pad_edge=False,
    )
    colours = _colours()
    for place, head in enumerate(heads):
        fold = bool(texts) and place in (0, texts[-1])
        drawn.add_column(
            Text(plain(head), colours.get(head, "")),
            justify="left" if place in (0, *texts) else "right",
            no_wrap=not fold,
            overflow="fold" if fold else "ellipsis",
        )
    for place, row in enumerate(rows):
        if place in groups and place:
            drawn.add_row()
        drawn.add_row(
            *(Text(plain(value), colours.get(value.partition(",")[0], "")) for value in row)
        )
    return drawn


def _show_unbroken(drawn: RichTable) -> None:
    unbroken = _PlainConsole(markup=False, highlight=False, emoji=False, width=UNBROKEN)
    with unbroken.capture() as captured:
        unbroken.print(drawn)
    for line in captured.get().splitlines():
        console().print(line.rstrip())


def _colours() -> dict[str, str]:
    """Return the words of a table that have the colour of what they name.

    Rich leaves colours out where the output is no terminal, and where ``NO_COLOR`` is set.
    """
    from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED, UNDECIDED

    rates = {key.upper(): colour for key, colour in CELL_COLOURS.items()}
    cells = {rate.removesuffix("R"): colour for rate, colour in rates.items()}
    return {**rates, **cells, "proved": PROVED, "undecided": UNDECIDED, "broken": BROKEN}


def _turned(table: Table) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    heads, *rows = zip(table.heads, *table.rows, strict=True)
    return tuple(heads), [tuple(row) for row in rows]


def progress(*, quiet: bool, unit: str | None = None) -> AbstractContextManager[Progress]:
    """Show on standard error how far work is, unless ``quiet``: as a bar or as lines."""
    from rafair.engine.bars import progress_bar

    after = 0.0 if sys.stderr.isatty() else LONG
    return progress_bar(not quiet, unit=unit, after=after)
