"""Empty cells: an error by default, or filled by the rule that the user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.cells import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.schema import Level

__all__ = ["RULES", "Fill", "fill_missing"]

Rule: TypeAlias = Literal["refuse", "median", "mean", "most_frequent"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True)
class Fill:
    """What replaces an empty cell of a column: a given value, or one that a rule computes.

    ``median`` takes the lower one of two middle values.

    Attributes
    ----------
    rule : Rule
    value : level, optional
    codes : tuple
        Values that stand for an empty cell, such as 999.
    """

    rule: Rule = "refuse"
    value: Level | None = None
    codes: tuple[Level, ...] = ()

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise InvalidInput(
                f"unknown rule {self.rule!r} for empty cells; use one of {', '.join(RULES)}"
            )


def fill_missing(
    frame: pd.DataFrame, fills: Mapping[str, Fill]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Fill empty cells, and report how many were filled with which value.

    Parameters
    ----------
    frame : DataFrame
        Not modified.
    fills : mapping of str to Fill
        Column → rule. Columns that are not named stay as they are.

    Returns
    -------
    DataFrame, tuple of str
        The filled table, and one sentence for each filled column. A rule computes its value from
        all rows of ``frame``.

    Raises
    ------
    InvalidInput
        If a column with empty cells has the rule ``refuse`` or no other cells, or if it has text
        and the rule needs numbers.
    """
    filled, notes = frame.copy(), []
    for name, fill in fills.items():
        if name not in frame.columns:
            continue
        known = frame[name].mask(frame[name].isin(fill.codes))
        empty = known.isna()
        if not empty.any():
            continue
        if fill.value is None and fill.rule == "refuse":
            row = int(empty.to_numpy().argmax())
            raise InvalidInput(
                f"column {name!r}, row {row}: the cell is {_what(frame[name], row)}, "
                f"{int(empty.sum())} of "
                f'{len(frame)} are; name a rule: missing = "median", "most_frequent", …'
            )
        value = fill.value if fill.value is not None else _found(known, fill.rule)
        column = known.astype(object).where(~empty, value).infer_objects()
        whole = pd.api.types.is_float_dtype(column) and (column == column.round()).all()
        filled[name] = column.astype("int64") if whole and abs(column).max() < 2**53 else column
        how = "the value given" if fill.value is not None else fill.rule.replace("_", " ")
        notes.append(f"{int(empty.sum())} empty cells of {name} were filled with {value} ({how}).")
    return filled, tuple(notes)


def _what(values: pd.Series, row: int) -> str:
    value = values.iloc[row]
    return "empty (NaN)" if pd.isna(value) else f"{shown(value)}, which stands for an empty one"


def _found(values: pd.Series, rule: Rule) -> Level:
    present = values.dropna()
    if present.empty:
        raise InvalidInput(f"column {values.name!r}: every cell is empty; ignore it")
    if rule == "most_frequent":
        counts = present.value_counts()
        ties = counts[counts == counts.max()].index
        first: Level = min(ties, key=str)
        return first.item() if hasattr(first, "item") else first
    if not pd.api.types.is_numeric_dtype(present) or pd.api.types.is_bool_dtype(present):
        read = pd.to_numeric(present.astype(object), errors="coerce")
        row = int(read.isna().to_numpy().argmax())
        raise InvalidInput(
            f"column {values.name!r}, row {present.index[row]}: {shown(present.iloc[row])} is no "
            f'number, and the {rule} needs numbers; use missing = "most_frequent"'
        )
    if rule == "mean":
        return float(present.mean())
    return float(present.quantile(0.5, interpolation="lower"))
