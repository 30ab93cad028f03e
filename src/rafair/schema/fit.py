"""From a table and a few words about its columns to a schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.feature import Feature, Kind, Level, shown
from rafair.schema.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "fit_schema", "levels_of"]

# Beyond this a text column is an identifier or free text, and its codes mean nothing.
MAX_LEVELS = 200
# Beyond this neighbouring whole numbers are one in double precision.
LARGEST_INTEGER = 2**53
# Decimal places tried on a numeric column; none fits where values carry full double precision.
MAX_DECIMALS = 6


@dataclass(frozen=True)
class Column:
    """What a person says of a column; ``fit_schema`` reads the rest from the data.

    ``kind`` None means: inferred. ``levels`` gives an order to an ordinal or categorical column.
    """

    name: str
    kind: Kind | None = None
    unit: str = ""
    sensitive: bool = False
    levels: tuple[Level, ...] = ()


def fit_schema(
    frame: pd.DataFrame, columns: Sequence[Column], label: str, classes: tuple[Level, ...]
) -> Schema:
    """Describe a complete table: ranges, levels and observed values come from ``frame``.

    Raises
    ------
    InvalidInput
        If a column is missing, has missing or infinite cells, or is text with too many levels.
    """
    if frame.empty:
        raise InvalidInput("the table has no row")
    return Schema(tuple(_feature(frame, column) for column in columns), label, classes)


def _feature(frame: pd.DataFrame, column: Column) -> Feature:
    if column.name not in frame.columns:
        raise InvalidInput(f"the table has no column {column.name!r}")
    values = frame[column.name]
    if (missing := values.isna().to_numpy()).any():
        row = int(np.flatnonzero(missing)[0])
        raise InvalidInput(f"column {column.name!r}, row {row}: the cell is empty (NaN)")
    kind = column.kind or _kind(values)
    if kind in ("ordinal", "categorical"):
        domain = column.levels or levels_of(values)
        return Feature(column.name, kind, domain, column.unit, column.sensitive)
    return _ranged(column, kind, values)


def _kind(values: pd.Series) -> Kind:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "categorical"
    return "integer" if pd.api.types.is_integer_dtype(values) else "numeric"


def levels_of(values: pd.Series) -> tuple[Level, ...]:
    """Return the different values of a column in sorted order.

    Raises
    ------
    InvalidInput
        If they are more than ``MAX_LEVELS``, of several kinds, or neither text, numbers nor truth
        values.
    """
    try:
        levels = [v.item() if isinstance(v, np.generic) else v for v in pd.unique(values).tolist()]
    except TypeError as error:
        raise InvalidInput(f"column {values.name!r} holds lists or objects; use text") from error
    kinds = {type(level) for level in levels}
    foreign = sorted(kind.__name__ for kind in kinds - {str, int, float, bool})
    if foreign:
        raise InvalidInput(
            f"column {values.name!r} holds {foreign[0]} values; turn them into text or numbers"
        )
    if len(kinds) > 1:
        mixed = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise InvalidInput(f"column {values.name!r} mixes {mixed} values; make them one kind")
    if not all(np.isfinite(level) for level in levels if isinstance(level, float)):
        raise InvalidInput(f"column {values.name!r} holds an infinite value")
    if len(levels) > MAX_LEVELS:
        raise InvalidInput(
            f"column {values.name!r} has {len(levels)} different values; "
            f"drop it or group them (at most {MAX_LEVELS})"
        )
    return tuple(sorted(levels, key=str))


def _ranged(column: Column, kind: Kind, values: pd.Series) -> Feature:
    if pd.api.types.is_complex_dtype(values):
        raise InvalidInput(f"column {column.name!r} holds complex numbers; use real ones")
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    if (broken := ~np.isfinite(numbers)).any():
        row = int(np.flatnonzero(broken)[0])
        raise InvalidInput(
            f"column {column.name!r}, row {row}: {shown(values.iloc[row])} is not a finite number"
        )
    if kind == "integer" and np.abs(numbers).max() > LARGEST_INTEGER:
        raise InvalidInput(
            f"column {column.name!r} holds whole numbers beyond 2^53; are they identifiers? drop it"
        )
    ends = np.array([numbers.min(), numbers.max()])
    return Feature(
        column.name,
        kind,
        tuple(ends.astype(np.int64).tolist() if kind == "integer" else ends.tolist()),
        column.unit,
        column.sensitive,
        observed=tuple(np.unique(numbers).tolist()),
        decimals=_decimals(numbers) if kind == "numeric" else None,
    )


def _decimals(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int | None:
    for decimals in range(MAX_DECIMALS + 1):
        if np.array_equal(numbers, np.round(numbers, decimals)):
            return decimals
    return None
