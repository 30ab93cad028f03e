"""Numbers written as text: with thousands separators, a decimal comma, a currency or a %."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.cells import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STYLES", "read_written", "styles_of"]

# A number as an example of its style → its thousands separators and its decimal mark.
STYLES = {
    "1234.5": ("", "."),
    "1,234.5": (",", "."),
    "1.234,5": (".", ","),
    "1 234,5": (" \u00a0\u202f", ","),
    "1'234.5": ("'’", "."),
}
# What may stand before or after a number: a sign of a currency, its code, or %.
AROUND = r"\s*(?:[$€£¥₹%]|[A-Z]{3})?\s*"


def _pattern(style: str) -> re.Pattern[str]:
    thousands, decimal = STYLES[style]
    groups = rf"[1-9]\d{{0,2}}(?:[{re.escape(thousands)}]\d{{3}})+|" if thousands else ""
    # A leading zero, as in 01234, is that of a code.
    number = rf"(?:{groups}[1-9]\d*|0)(?:{re.escape(decimal)}\d+)?"
    return re.compile(rf"([-+]?){AROUND}([-+]?{number}){AROUND}")


PATTERNS = {style: _pattern(style) for style in STYLES}


def styles_of(values: pd.Series) -> tuple[str, ...]:
    """Return the styles in which every cell of a column reads as a number.

    Parameters
    ----------
    values : Series
        Without empty cells.

    Returns
    -------
    tuple of str
        Keys of ``STYLES``; those that read all cells alike count once. Empty for a column that is
        no text, or that holds other text.
    """
    different = values.unique().tolist()
    if not different or not all(isinstance(cell, str) for cell in different):
        return ()
    found: dict[str, tuple[float, ...]] = {}
    for style in STYLES:
        readable = itertools.takewhile(
            lambda number: number is not None, (_number(cell, style) for cell in different)
        )
        numbers = tuple(number for number in readable if number is not None)
        if len(numbers) == len(different) and numbers not in found.values():
            found[style] = numbers
    return tuple(found)


def _number(cell: str, style: str) -> float | None:
    match = PATTERNS[style].fullmatch(cell.strip())
    if match is None or (match.group(1) and match.group(2)[0] in "+-"):
        return None
    thousands, decimal = STYLES[style]
    digits = "".join(mark for mark in match.group(2) if mark not in thousands)
    return float(match.group(1) + digits.replace(decimal, "."))


def read_written(frame: pd.DataFrame, written: Mapping[str, str]) -> pd.DataFrame:
    """Turn text into numbers.

    Parameters
    ----------
    frame : DataFrame
        Not modified.
    written : mapping of str to str
        Column → style, a key of ``STYLES``. Empty cells stay empty.

    Returns
    -------
    DataFrame
        With these columns as whole or decimal numbers.

    Raises
    ------
    InvalidInput
        If a column or a style does not exist, or a cell is not written so.
    """
    read = frame.copy()
    for name, style in written.items():
        if name not in frame.columns:
            raise InvalidInput(f"written names {name!r}, which is no column of the table")
        if style not in STYLES:
            raise InvalidInput(
                f"column {name!r}: written = {style!r} is no style of numbers; "
                f"use {', '.join(map(repr, STYLES))}"
            )
        cells = frame[name].tolist()
        numbers = [_read(name, row, cell, style) for row, cell in enumerate(cells)]
        read[name] = pd.Series(numbers, index=frame.index, dtype="float64")
    return read


def _read(name: str, row: int, cell: object, style: str) -> float:
    if pd.isna(cell):  # type: ignore[call-overload]  # of any object
        return float("nan")
    number = _number(str(cell), style)
    if number is None:
        raise InvalidInput(f"column {name!r}, row {row}: {shown(cell)} is not written as {style!r}")
    return number
