"""Empty cells: an error by default, else filled or kept by the rule that the user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.cells import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from rafair.schema import Level
    from rafair.schema.gaps import Missing

__all__ = ["RULES", "Fill", "fill_missing", "stay_empty"]

Rule: TypeAlias = Literal["refuse", "median", "mean", "most_frequent", "keep", "level"]
RULES: tuple[Rule, ...] = get_args(Rule)
# What a rule that fills nothing makes of empty cells.
STAYING = {
    "keep": "stay empty (keep): Δ does not move them, and I(v) does not vary them",
    "level": "are a level of their own (level)",
}


@dataclass(frozen=True)
class Fill:
    """What becomes of an empty cell of a column: a value given or computed, or what it is.

    ``median`` takes the lower one of two middle values. ``keep`` and ``level`` leave the cell as it
    is; see ``rafair.schema.Feature.with_missing``.

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
    """Fill empty cells, and report how many were filled with which value, or stay empty.

    Parameters
    ----------
    frame : DataFrame
        Not modified.
    fills : mapping of str to Fill
        Column → rule. Columns that are not named stay as they are.

    Returns
    -------
    DataFrame, tuple of str
        The filled table, and one sentence for each column with empty cells. A rule computes its
        value from all rows of ``frame``.

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
            raise _refusal(frame[name], empty.to_numpy())
        if fill.value is None and fill.rule in STAYING:
            filled[name] = known
            notes.append(f"{int(empty.sum())} empty cells of {name} {STAYING[fill.rule]}.")
            continue
        value = fill.value if fill.value is not None else _found(known, fill.rule)
        column = known.astype(object).where(~empty, value).infer_objects()
        whole = pd.api.types.is_float_dtype(column) and (column == column.round()).all()
        filled[name] = column.astype("int64") if whole and abs(column).max() < 2**53 else column
        how = "the value given" if fill.value is not None else fill.rule.replace("_", " ")
        notes.append(f"{int(empty.sum())} empty cells of {name} were filled with {value} ({how}).")
    return filled, tuple(notes)


def stay_empty(frame: pd.DataFrame, fills: Mapping[str, Fill]) -> dict[str, Missing]:
    """Return the rule of each column that has empty cells, and whose rule leaves them so."""
    return {
        name: cast("Missing", fill.rule)
        for name, fill in fills.items()
        if fill.value is None
        and fill.rule in STAYING
        and name in frame.columns
        and (frame[name].isna() | frame[name].isin(fill.codes)).any()
    }


def _refusal(values: pd.Series, empty: npt.NDArray[np.bool_]) -> InvalidInput:
    row = int(empty.argmax())
    return InvalidInput(
        f"column {values.name!r}, row {row}: the cell is {_what(values, row)}, {int(empty.sum())} "
        f'of {len(values)} are; name a rule: missing = "median", "mean", "most_frequent", "keep" '
        '(the model reads missing values itself) or "level" (missing is a level of its own)'
    )


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
