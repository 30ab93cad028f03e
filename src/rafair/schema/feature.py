"""One column of a table: its kind, its domain, and how a value becomes a number in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from rafair.errors import InvalidInput

__all__ = ["Feature", "Kind", "Level", "as_numbers", "shown"]

Kind = Literal["numeric", "integer", "ordinal", "categorical"]
Level: TypeAlias = str | int | float | bool
Floats: TypeAlias = npt.NDArray[np.float64]


# Characters of a cell that a message shows.
LONGEST = 60


def shown(value: object) -> str:
    """Return a cell as a message shows it: text in quotes, numbers without their type."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def as_numbers(column: pd.Series) -> Floats:
    """Return the numbers of a column, NaN where a cell is none, ±∞ beyond double precision.

    Raises
    ------
    InvalidInput
        If it holds dates or durations.
    """
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise InvalidInput(
            f"column {column.name!r} holds dates or times; turn them into numbers, as years or days"
        )
    try:
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    except (OverflowError, TypeError):
        return np.array([_as_number(cell) for cell in column.tolist()], dtype=np.float64)


def _as_number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]  # anything may stand in a cell
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan")


@dataclass(frozen=True)
class Feature:
    """One column, described in original units.

    Parameters
    ----------
    name : str
        The column's name in a frame.
    kind : {"numeric", "integer", "ordinal", "categorical"}
        Numeric and integer features have a range, the other two have levels.
    domain : tuple
        ``(low, high)`` in original units for numeric and integer features; the levels in their
        documented order for ordinal and categorical ones.
    unit : str
        Printed behind a value, for example ``"years"``.
    sensitive : bool
        Whether I(v) varies this column.
    perturbable : bool
        Whether Δ may move it in the *feasible* setting. Never true of a sensitive feature.
    observed : tuple of float
        For a sensitive numeric or integer feature, the values seen in the data, in increasing
        order: the axis of I(v). Levels serve as that axis for the other kinds.
    decimals : int, optional
        Decimal places of a numeric feature, to which ``decode`` rounds; None keeps every bit that
        survives the two scalings.
    columns : tuple of str
        The 0/1 columns that stand for this feature in a frame, one per level in the order of
        ``domain``; one column less where all of them being 0 means the first level. Empty for a
        feature with a column of its own name.
    truths : bool
        Whether these columns hold true and false instead of 1 and 0.
    epsilon, step : float, optional
        Radius of Δ and length of a step in the *feasible* setting, as shares of the range; by
        default those of the audit.
    switch : bool
        Whether Δ lets a categorical feature take another level in the *feasible* setting.
    """

    name: str
    kind: Kind
    domain: tuple[Level, ...]
    unit: str = ""
    sensitive: bool = False
    perturbable: bool = True
    observed: tuple[float, ...] = ()
    decimals: int | None = None
    columns: tuple[str, ...] = ()
    truths: bool = False
    epsilon: float | None = None
    step: float | None = None
    switch: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InvalidInput(
                f"feature {self.name!r}: unknown kind {self.kind!r}; use one of {get_args(Kind)}"
            )
        if self.has_levels and len(set(self.domain)) != len(self.domain):
            raise InvalidInput(f"feature {self.name!r}: a level occurs twice in its domain")
        if self.has_levels and not self.domain:
            raise InvalidInput(f"feature {self.name!r}: the domain has no level")
        if not self.has_levels and not self._is_range():
            raise InvalidInput(
                f"feature {self.name!r}: the domain must be (low, high), two finite numbers with "
                f"low <= high, not {self.domain!r}"
            )
        self._check_columns()
        for name in ("epsilon", "step"):
            size = getattr(self, name)
            if size is not None and not (np.isfinite(size) and size >= 0):
                raise InvalidInput(
                    f"feature {self.name!r}: {name} must be finite and not negative, not {size}"
                )
        if self.sensitive and self.perturbable:
            object.__setattr__(self, "perturbable", False)

    def _check_columns(self) -> None:
        if not self.columns:
            return
        if not self.has_levels or len(self.domain) - len(self.columns) not in (0, 1):
            raise InvalidInput(
                f"feature {self.name!r}: {len(self.columns)} one-hot columns need a categorical "
                f"feature of {len(self.columns)} levels, or of one more"
            )
        if len(set(self.columns)) != len(self.columns):
            raise InvalidInput(f"feature {self.name!r}: a one-hot column occurs twice")

    def _is_range(self) -> bool:
        if len(self.domain) != 2 or not all(isinstance(end, int | float) for end in self.domain):
            return False
        low, high = float(self.domain[0]), float(self.domain[1])
        return bool(np.isfinite([low, high, high - low]).all()) and low <= high

    @property
    def has_levels(self) -> bool:
        """Whether the domain is a list of levels rather than a range."""
        return self.kind in ("ordinal", "categorical")

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of a frame that hold this feature."""
        return self.columns or (self.name,)

    @property
    def movable(self) -> bool:
        """Whether Δ may move it in the *feasible* setting."""
        return self.perturbable and (self.kind != "categorical" or self.switch)

    @property
    def low(self) -> float:
        """The value that unit space calls 0 (a code, for levels)."""
        return 0.0 if self.has_levels else float(self.domain[0])

    @property
    def span(self) -> float:
        """The width of the domain in original units, or the number of levels minus one."""
        return len(self.domain) - 1.0 if self.has_levels else float(self.domain[1]) - self.low

    @property
    def spacing(self) -> float:
        """Unit-space distance of neighbouring possible values; 0 where every value is possible."""
        if self.kind == "numeric":
            step = 0.0 if self.decimals is None else 10.0**-self.decimals
        else:
            step = 1.0
        return step / self.span if self.span else 1.0

    @property
    def axis(self) -> Floats:
        """The values of I(v) along this feature, in unit space, shape (values,)."""
        if self.has_levels:
            return self._to_unit(np.arange(len(self.domain), dtype=np.float64))
        return self._to_unit(np.asarray(self.observed, dtype=np.float64))

    def _to_unit(self, raw: Floats) -> Floats:
        return (raw - self.low) / self.span if self.span else np.zeros_like(raw)

    def encode(self, column: pd.Series) -> Floats:
        """Scale a column to [0, 1].

        Raises
        ------
        InvalidInput
            If a value is missing, infinite, no level or outside the range; the text names the row.
        """
        missing = column.isna().to_numpy()
        if missing.any():
            raise InvalidInput(self._complaint(column, missing, "is missing"))
        if self.has_levels:
            try:
                codes = pd.Index(self.domain).get_indexer(pd.Index(column))
            except TypeError as error:
                raise InvalidInput(
                    f"column {self.name!r} holds lists or objects; use text or numbers"
                ) from error
            if (codes < 0).any():
                raise InvalidInput(self._complaint(column, codes < 0, "is not one of its levels"))
            return self._to_unit(codes.astype(np.float64))
        raw = self._numbers(column)
        outside = (raw < self.low) | (raw > float(self.domain[1]))
        if outside.any():
            text = f"lies outside {self.domain[0]}..{self.domain[1]}"
            raise InvalidInput(self._complaint(column, outside, text))
        return self._to_unit(raw)

    def _numbers(self, column: pd.Series) -> Floats:
        numbers = as_numbers(column)
        broken = ~np.isfinite(numbers)
        if broken.any():
            raise InvalidInput(self._complaint(column, broken, "is not a finite number"))
        if self.kind == "integer" and (broken := numbers != np.round(numbers)).any():
            raise InvalidInput(self._complaint(column, broken, "is not a whole number"))
        return numbers

    def _complaint(self, column: pd.Series, at: npt.NDArray[np.bool_], what: str) -> str:
        row = int(np.flatnonzero(at)[0])
        return f"column {self.name!r}, row {row}: {shown(column.iloc[row])} {what}"

    def read(self, frame: pd.DataFrame) -> pd.Series:
        """Return this feature's values in a frame: its column, or the level that is hot.

        Raises
        ------
        InvalidInput
            If a column is missing, or a row of a one-hot group has no 1 or several.
        """
        lost = [name for name in self.sources if name not in frame.columns]
        if lost:
            raise InvalidInput(f"the table lacks the column {lost[0]!r}")
        if not self.columns:
            return frame[self.name]
        hot = frame[list(self.columns)].apply(pd.to_numeric, errors="coerce")
        numbers = hot.to_numpy(dtype=np.float64)
        total = numbers.sum(axis=1)
        spare = len(self.domain) - len(self.columns)
        broken = ~np.isin(numbers, (0.0, 1.0)).all(axis=1) | (total > 1) | (total + spare < 1)
        if broken.any():
            row = int(np.flatnonzero(broken)[0])
            raise InvalidInput(
                f"feature {self.name!r}, row {row}: its one-hot columns "
                f"{', '.join(map(repr, self.columns))} are not 0 and 1 with one 1"
            )
        codes = np.where(total == 0, 0, numbers.argmax(axis=1) + spare)
        return pd.Series(pd.Index(self.domain).take(codes), index=frame.index, name=self.name)

    def write(self, values: pd.Series) -> dict[str, pd.Series]:
        """Return the frame's columns for this feature's values; the inverse of ``read``."""
        if not self.columns:
            return {self.name: values}
        levels = self.domain[len(self.domain) - len(self.columns) :]
        return {
            name: (values == level).astype(np.bool_ if self.truths else np.int64)
            for name, level in zip(self.columns, levels, strict=True)
        }

    def numbers(self, unit: Tensor) -> Tensor:
        """Return the nearest possible values of unit-space numbers; codes for levels.

        The same as ``decode`` for whole tensors: numbers outside [0, 1] become an end of the
        domain. Shape and device are those of ``unit``; the type is float64.
        """
        raw = self.low + unit.to(torch.float64).clamp(0.0, 1.0) * self.span
        if self.kind == "numeric":
            return raw if self.decimals is None else torch.round(raw, decimals=self.decimals)
        return raw.round()

    def decode(self, unit: Floats) -> pd.Series:
        """Return the nearest possible value of each number, in original units.

        Numbers outside [0, 1] become the nearest end of the domain.
        """
        raw = self.low + np.clip(unit, 0.0, 1.0) * self.span
        if self.has_levels:
            return pd.Series(pd.Index(self.domain).take(np.rint(raw).astype(np.int64)))
        if self.kind == "integer":
            return pd.Series(np.rint(raw).astype(np.int64))
        return pd.Series(raw if self.decimals is None else np.round(raw, self.decimals))
