"""Tables of text as plain text and as HTML, for ``repr`` and for notebooks."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "as_html", "as_text", "count", "listed", "printable"]

# Names that a line lists before it counts the others.
NAMED = 8
# Longest text of a name in a line, in characters.
LONGEST = 40


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text.

    Attributes
    ----------
    groups : tuple of int
        The first row of each block.
    quoted : tuple of int
        Rows with published numbers.
    texts : tuple of int
        Columns beside the first that hold text: they stand to the left. At a narrow terminal the
        first column and the last of these are broken into lines.
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    groups: tuple[int, ...] = ()
    quoted: tuple[int, ...] = ()
    texts: tuple[int, ...] = ()


def as_text(table: Table) -> str:
    """Return a table as lines of text: words to the left, numbers to the right."""
    lines = [tuple(map(printable, row)) for row in (table.heads, *table.rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    drawn = (
        "  ".join(
            _filled(text, width, to_the_left=place in (0, *table.texts))
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return "\n".join([printable(table.title), *drawn])


def as_html(table: Table, remarks: Sequence[str] = ()) -> str:
    """Return a table and remarks on it as HTML without styles; every text in it is escaped."""
    heads = _row("th", table.heads)
    body = "".join(_row("td", row) for row in table.rows)
    title = escape(printable(table.title))
    below = "".join(f"<p>{escape(printable(remark))}</p>" for remark in remarks)
    return (
        f"<div><table><caption>{title}</caption><thead>{heads}</thead><tbody>{body}</tbody>"
        f"</table>{below}</div>"
    )


def count(n: int, what: str, several: str | None = None) -> str:
    """Return a number of things in words: "1 row", "2,000 rows"; "2 people" if told so."""
    return f"{n:,} {what if n == 1 else several or f'{what}s'}"


def listed(names: Sequence[object]) -> str:
    """Return names in one line; many are counted and long ones shortened."""
    shown = [_shortened(str(name)) for name in names[:NAMED]]
    more = len(names) - len(shown)
    return ", ".join([*shown, *([f"… {more} more"] if more else [])])


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def printable(text: str) -> str:
    """Replace what would control a terminal, line breaks included."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _width(text: str) -> int:
    """Return the columns that a text takes at a terminal."""
    return sum(_columns(c) for c in text)


def _columns(c: str) -> int:
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def _filled(text: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - _width(text))
    return f"{text}{space}" if to_the_left else f"{space}{text}"


def _row(tag: str, texts: tuple[str, ...]) -> str:
    cells = "".join(f"<{tag}>{escape(printable(text))}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>"
