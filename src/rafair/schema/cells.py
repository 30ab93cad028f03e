"""Cells of a table: as numbers, and as text for messages."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.gaps import LEVEL

__all__ = ["as_numbers", "as_whole", "hot_codes", "in_units", "shown"]

Floats: TypeAlias = npt.NDArray[np.float64]

# Above this, double precision cannot tell neighbouring whole numbers apart.
LARGEST_INTEGER = 2**53
# Longest text of a cell in a message, in characters.
LONGEST = 60


def shown(value: object) -> str:
    """Return a cell as text for a message: text in quotes, numbers without their NumPy type."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def in_units(value: object, unit: str) -> str:
    """Return a cell as text for a reader: a number with its unit, ``"missing"`` for an empty cell.

    Numbers have six significant digits; large ones nine, with commas between thousands.
    """
    if pd.isna(value):  # type: ignore[call-overload]
        return LEVEL
    text = str(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        number = float(value)
        text = f"{number:,.9g}" if abs(number) >= 10_000 else f"{number:.6g}"
    return f"{text} {unit}".rstrip()


def as_numbers(column: pd.Series) -> Floats:
    """Return a column as float64: NaN for a cell without a number, infinity for a number too large.

    Raises
    ------
    InvalidInput
        If the column holds dates or durations.
    """
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise InvalidInput(
            f"column {column.name!r} holds dates or times; turn them into numbers, as years or days"
        )
    try:
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    except (OverflowError, TypeError):
        return np.array([_as_number(cell) for cell in column.tolist()], dtype=np.float64)


def as_whole(values: pd.Series) -> pd.Series:
    """Turn whole floats back into integers: pandas stores integers with empty cells as floats."""
    if pd.api.types.is_float_dtype(values) and (values == values.round()).all():
        return values.astype(np.int64) if values.abs().max() < LARGEST_INTEGER else values
    return values


def _as_number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]  # a cell may hold any object
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan")


def hot_codes(ones: pd.DataFrame, spare: int, feature: str) -> npt.NDArray[np.intp]:
    """Return the code of the level of each row from 0/1 columns, of which one is 1.

    Parameters
    ----------
    ones : DataFrame
    spare : int
        1 if the first level has no column; then all columns are 0 for it.
    feature : str
        For the message.

    Raises
    ------
    InvalidInput
        If a row's columns are not 0 and 1 with one 1.
    """
    hot = ones.apply(pd.to_numeric, errors="coerce")
    numbers = hot.to_numpy(dtype=np.float64)
    total = numbers.sum(axis=1)
    broken = ~np.isin(numbers, (0.0, 1.0)).all(axis=1) | (total > 1) | (total + spare < 1)
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise InvalidInput(
            f"feature {feature!r}, row {row}: its one-hot columns "
            f"{', '.join(map(repr, ones.columns))} are not 0 and 1 with one 1"
        )
    codes: npt.NDArray[np.intp] = np.where(total == 0, 0, numbers.argmax(axis=1) + spare)
    return codes
