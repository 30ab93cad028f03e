"""Fits a feature to a column of a table, with what the user says about the column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.cells import LARGEST_INTEGER, as_numbers, as_whole, shown
from rafair.schema.feature import Feature, Kind, Level
from rafair.schema.gaps import Missing

__all__ = ["Column", "check_comparing", "fit_feature", "kind_of_column", "levels_of"]

Numbers: TypeAlias = npt.NDArray[np.float64]

# A text column with more levels than this is an identifier or free text; its codes mean nothing.
MAX_LEVELS = 200
# Most decimal places tried on a numeric column; values with full double precision fit none.
MAX_DECIMALS = 6


@dataclass(frozen=True)
class Column:
    """What the user says about a column; ``fit_feature`` reads the rest from the data.

    Attributes
    ----------
    name : str
        Of the column, or of the feature that a one-hot group forms.
    kind : Kind, optional
        By default inferred from the data.
    unit : str
    sensitive : bool
    levels : tuple
        Levels of an ordinal or categorical column in their order; by default those in the data.
    range : tuple of (low, high)
        Range in original units; None takes this end of the range from the data.
    bulk : tuple of (low, high), optional
        Part of the range that ε and step are shares of; see ``Feature``.
    columns : tuple of str
        The 0/1 columns of a one-hot group.
    bins : tuple of float
        Increasing edges. For I(v), the median of the different values in a bin represents the bin.
    within : float, optional
        For I(v), the largest distance of a counterpart's value from the person's own, in original
        units.
    perturbable : bool, optional
        By default false for an ordinal feature with a single column, and true for all others.
    missing : {"refuse", "keep", "level"}
        What an empty cell means; see ``Feature``.
    """

    name: str
    kind: Kind | None = None
    unit: str = ""
    sensitive: bool = False
    levels: tuple[Level, ...] = ()
    range: tuple[float | None, float | None] = (None, None)
    columns: tuple[str, ...] = ()
    bins: tuple[float, ...] = ()
    perturbable: bool | None = None
    bulk: tuple[float, float] | None = None
    missing: Missing = "refuse"
    within: float | None = None


def check_comparing(column: Column, *, is_sensitive: bool) -> None:
    """Refuse what is said about I(v) of a column that is not sensitive.

    Raises
    ------
    InvalidInput
    """
    for what, said in (("bins are", bool(column.bins)), ("within is", column.within is not None)):
        if said and not is_sensitive:
            raise InvalidInput(f"column {column.name!r}: {what} for I(v), and it is not sensitive")


def fit_feature(frame: pd.DataFrame, column: Column) -> Feature:
    """Describe one column of a table; its empty cells, where they may be, tell nothing of it.

    Raises
    ------
    InvalidInput
        If the column does not exist, has infinite cells, empty ones without a rule or no others,
        is text with too many levels, or contradicts what ``column`` says.
    """
    if column.columns:
        return _one_hot(frame, column)
    if column.name not in frame.columns:
        raise InvalidInput(f"the table has no column {column.name!r}")
    values = _present(frame[column.name], column.missing)
    return _described(column, values).with_missing(column.missing)


def _present(values: pd.Series, rule: Missing) -> pd.Series:
    """Return a column without its empty cells, in the type that it would have without them."""
    missing = values.isna().to_numpy()
    if not missing.any():
        return values
    if rule == "refuse":
        row = int(np.flatnonzero(missing)[0])
        raise InvalidInput(f"column {values.name!r}, row {row}: the cell is empty (NaN)")
    if missing.all():
        raise InvalidInput(f"column {values.name!r}: every cell is empty; ignore it")
    return as_whole(values[~missing].infer_objects().reset_index(drop=True))


def _described(column: Column, values: pd.Series) -> Feature:
    kind = column.kind or kind_of_column(values)
    if kind not in ("ordinal", "categorical"):
        return _ranged(column, kind, values)
    if column.range != (None, None) or column.bins or column.bulk:
        raise InvalidInput(f"column {column.name!r}: {kind} features have levels, no range or bins")
    if column.within is not None:
        raise InvalidInput(f"column {column.name!r}: within is for numbers; it is {kind}")
    return Feature(
        column.name,
        kind,
        column.levels or levels_of(values),
        column.unit,
        column.sensitive,
        perturbable=kind == "categorical" if column.perturbable is None else column.perturbable,
    )


def _one_hot(frame: pd.DataFrame, column: Column) -> Feature:
    lost = [name for name in column.columns if name not in frame.columns]
    if lost:
        raise InvalidInput(f"the table has no column {lost[0]!r}")
    if column.within is not None:
        raise InvalidInput(f"column {column.name!r}: within is for numbers, not one-hot columns")
    levels = column.levels or _without_beginning(column)
    hot = frame[list(column.columns)].apply(pd.to_numeric, errors="coerce")
    if not column.levels and (hot.sum(axis=1) == 0).any():
        levels = (f"no {column.name}", *levels)
    feature = Feature(
        column.name,
        column.kind or "categorical",
        levels,
        column.unit,
        column.sensitive,
        perturbable=column.perturbable is not False,
        columns=column.columns,
        truths=all(pd.api.types.is_bool_dtype(frame[name]) for name in column.columns),
    )
    feature.read(frame)
    return feature


def _without_beginning(column: Column) -> tuple[str, ...]:
    """Name the levels of a one-hot group: race_white becomes white in a feature named race."""
    length = len(column.name) + 1
    short = tuple(name[length:] for name in column.columns)
    begun = all(name.startswith(column.name) for name in column.columns)
    return short if begun and all(short) and len(set(short)) == len(short) else column.columns


def kind_of_column(values: pd.Series) -> Kind:
    """Return the kind that a column's dtype suggests."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "categorical"
    return "integer" if pd.api.types.is_integer_dtype(values) else "numeric"


def levels_of(values: pd.Series) -> tuple[Level, ...]:
    """Return the different values of a column in sorted order.

    Raises
    ------
    InvalidInput
        If there are more than ``MAX_LEVELS``, if their types differ, if one is infinite, or if they
        are neither text, numbers nor truth values.
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
    return tuple(sorted(levels))  # all of one type, so they can be sorted


def _ranged(column: Column, kind: Kind, values: pd.Series) -> Feature:
    if pd.api.types.is_complex_dtype(values):
        raise InvalidInput(f"column {column.name!r} holds complex numbers; use real ones")
    numbers = as_numbers(values)
    if (broken := ~np.isfinite(numbers)).any():
        row = int(np.flatnonzero(broken)[0])
        raise InvalidInput(
            f"column {column.name!r}, row {row}: {shown(values.iloc[row])} is not a finite number"
        )
    if column.levels:
        raise InvalidInput(f"column {column.name!r}: {kind} features have a range, no levels")
    if kind == "integer" and np.abs(numbers).max() > LARGEST_INTEGER:
        raise InvalidInput(
            f"column {column.name!r} holds whole numbers beyond 2^53; are they identifiers? drop it"
        )
    if kind == "integer" and any(abs(end or 0) > LARGEST_INTEGER for end in column.range):
        raise InvalidInput(f"column {column.name!r}: the range goes beyond 2^53: {column.range}")
    if kind == "integer" and any(end is not None and end != round(end) for end in column.range):
        raise InvalidInput(
            f"column {column.name!r}: the range of whole numbers must end in whole numbers, "
            f"not {column.range}"
        )
    seen = (float(numbers.min()), float(numbers.max()))
    ends = [own if own is not None else end for own, end in zip(column.range, seen, strict=True)]
    whole = kind == "integer" and all(end == round(end) for end in ends)
    feature = Feature(
        column.name,
        kind,
        tuple(int(end) for end in ends) if whole else tuple(ends),
        column.unit,
        column.sensitive,
        perturbable=column.perturbable is not False,
        observed=_axis(column, np.unique(numbers)),
        decimals=_decimals(np.append(numbers, ends)) if kind == "numeric" else None,
        bulk=column.bulk,
        within=column.within,
    )
    feature.encode(values)
    return feature


def _axis(column: Column, seen: Numbers) -> tuple[float, ...]:
    """Return the values of I(v): all that were seen, or the (upper) median of those in each bin."""
    if not column.bins:
        return tuple(seen.tolist())
    edges = np.asarray(column.bins, dtype=np.float64)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InvalidInput(f"column {column.name!r}: bins must be two or more growing edges")
    if seen[0] < edges[0] or seen[-1] > edges[-1]:
        raise InvalidInput(
            f"column {column.name!r}: values run from {seen[0]:g} to {seen[-1]:g}, "
            f"the bins from {edges[0]:g} to {edges[-1]:g}"
        )
    places = np.clip(np.searchsorted(edges, seen, side="right") - 1, 0, len(edges) - 2)
    groups = (seen[places == place] for place in range(len(edges) - 1))
    return tuple(float(group[len(group) // 2]) for group in groups if len(group))


def _decimals(numbers: Numbers) -> int | None:
    for decimals in range(MAX_DECIMALS + 1):
        if np.array_equal(numbers, np.round(numbers, decimals)):
            return decimals
    return None
