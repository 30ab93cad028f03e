"""One column of a table: its kind, its domain, and how a value becomes a number in [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.schema.cells import as_numbers, shown
from rafair.schema.feature_checks import check_feature
from rafair.schema.gaps import MISSING, Missing, free_level, is_missing, with_gaps

__all__ = ["Feature", "Kind", "Level"]

Kind = Literal["numeric", "integer", "ordinal", "categorical"]
Level: TypeAlias = str | int | float | bool
Floats: TypeAlias = npt.NDArray[np.float64]

# Unit-space distance up to which two values count as equal.
SLACK = {torch.float64: 1e-9, torch.float32: 1e-6}
# Tolerance for rounding, in unit space and in steps of a lattice.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Feature:
    """One column, described in original units.

    Parameters
    ----------
    name : str
        The column's name in a frame.
    kind : {"numeric", "integer", "ordinal", "categorical"}
        Numeric and integer features have a range; ordinal and categorical ones have levels.
    domain : tuple
        ``(low, high)`` in original units for numeric and integer features; the levels in their
        documented order for ordinal and categorical ones.
    unit : str
        Printed after a value, for example ``"years"``.
    sensitive : bool
        Whether I(v) varies this column.
    perturbable : bool
        Whether Δ may move the feature in the *feasible* setting; always False for a sensitive
        feature. A categorical feature moves only if ``switch`` is true as well.
    observed : tuple of float
        The values of a numeric or integer feature in the data (with bins, one value per bin), in
        increasing order. If the feature is sensitive, I(v) takes these values; for the other kinds
        it takes the levels.
    decimals : int, optional
        Decimal places to which ``decode`` rounds a numeric feature; None means no rounding.
    columns : tuple of str
        The 0/1 columns that hold this feature in a frame, one per level in the order of
        ``domain``. The first level may lack a column; then all columns are 0 for it. Empty for a
        feature with a single column, which has the feature's name.
    truths : bool
        Whether the columns in ``columns`` hold true and false instead of 1 and 0.
    epsilon, step : float, optional
        Radius of Δ and step size of this feature in the *feasible* setting, as shares of its
        range; by default those of the audit.
    switch : bool
        Whether Δ lets a categorical feature take another level in the *feasible* setting.
    bulk : tuple of (low, high), optional
        The part of the range that most values lie in, in original units. In the *feasible* setting
        ε and the step are shares of its width. By default the range.
    missing : {"refuse", "keep", "level"}
        What an empty cell means; see ``with_missing``. With *level*, the last level of a
        categorical feature's domain stands for the empty cell.
    within : float, optional
        For I(v), in original units: v' has a value at most this far from v's. By default any value.
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
    bulk: tuple[float, float] | None = None
    missing: Missing = "refuse"
    within: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InvalidInput(
                f"feature {self.name!r}: unknown kind {self.kind!r}; use one of {get_args(Kind)}"
            )
        check_feature(self)
        if self.sensitive and self.perturbable:
            object.__setattr__(self, "perturbable", False)

    def with_missing(self, rule: Missing) -> Feature:
        """Return this feature, of a column without empty cells, as one whose cells may be empty.

        Parameters
        ----------
        rule : {"refuse", "keep", "level"}
            *keep*: an empty cell stays empty; Δ does not move it, and I(v) does not vary it.
            *level*: it is one more level of a category, or, of a sensitive number or order, one
            more value of I(v).

        Raises
        ------
        InvalidInput
            If the rule is *level* and the feature is neither a category nor sensitive, or the
            feature is a one-hot group.
        """
        if rule == "level" and self.kind == "categorical" and self.missing != "level":
            domain = (*self.domain, free_level(self.domain))
            return replace(self, domain=domain, missing=rule)
        return replace(self, missing=rule)

    @property
    def has_levels(self) -> bool:
        """Whether the domain is a list of levels rather than a range."""
        return self.kind in ("ordinal", "categorical")

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that a table holds: the domain without the level of empty cells."""
        return self.domain[:-1] if self._has_missing_level else self.domain

    @property
    def _has_missing_level(self) -> bool:
        return self.missing == "level" and self.kind == "categorical"

    @property
    def has_gaps(self) -> bool:
        """Whether unit space may hold ``MISSING`` in this column."""
        return self.missing != "refuse" and not self._has_missing_level

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of a frame that hold this feature."""
        return self.columns or (self.name,)

    @property
    def movable(self) -> bool:
        """Whether Δ moves the feature in the *feasible* setting."""
        return self.perturbable and (self.kind != "categorical" or self.switch)

    @property
    def low(self) -> float:
        """The value that becomes 0 in unit space: a number in original units, or the code 0."""
        return 0.0 if self.has_levels else float(self.domain[0])

    @property
    def span(self) -> float:
        """The width of the domain in original units, or the number of levels minus one."""
        return len(self.domain) - 1.0 if self.has_levels else float(self.domain[1]) - self.low

    @property
    def bulk_share(self) -> float:
        """The width of the bulk as a share of the range; 1 for a feature without one."""
        return 1.0 if self.bulk is None else (self.bulk[1] - self.bulk[0]) / self.span

    @property
    def spacing(self) -> float:
        """Unit-space distance of neighbouring possible values; 0 if every value is possible.

        1 for a feature with a single possible value.
        """
        if self.kind == "numeric":
            step = 0.0 if self.decimals is None else 10.0**-self.decimals
        else:
            step = 1.0
        return step / self.span if self.span else 1.0

    @property
    def nearness(self) -> float:
        """The largest unit-space distance of v' from v in I(v); infinite without ``within``.

        Half a ``spacing`` is added, or a little where every value is possible, so that rounding
        does not decide.
        """
        if self.within is None or not self.span:
            return float("inf")
        share = min(self.within / self.span, 1.0)
        if not self.spacing:
            return share + TOLERANCE
        steps = math.floor(share / self.spacing + TOLERANCE)
        return (steps + 0.5) * self.spacing

    @property
    def axis(self) -> Floats:
        """The values of I(v) along this feature, in unit space, shape (values,)."""
        if self.has_levels:
            values = self._to_unit(np.arange(len(self.domain), dtype=np.float64))
        else:
            values = self._to_unit(np.asarray(self.observed, dtype=np.float64))
        is_value = self.has_gaps and self.missing == "level" and len(values)
        return np.append(values, MISSING) if is_value else values

    def _to_unit(self, raw: Floats) -> Floats:
        return (raw - self.low) / self.span if self.span else np.zeros_like(raw)

    def encode(self, column: pd.Series) -> Floats:
        """Scale a column to [0, 1].

        Raises
        ------
        InvalidInput
            If a value is missing where that is refused, infinite, no level or outside the range;
            the message names its row.
        """
        missing = column.isna().to_numpy()
        if missing.any() and self.missing == "refuse":
            raise InvalidInput(self._complaint(column, missing, "is missing"))
        numbers = self._codes if self.has_levels else self._numbers
        unit = self._to_unit(numbers(column, ~missing))
        unit[missing] = MISSING if self.has_gaps else 1.0
        return unit

    def _codes(self, column: pd.Series, present: npt.NDArray[np.bool_]) -> Floats:
        try:
            codes = pd.Index(self.levels).get_indexer(pd.Index(column))
        except TypeError as error:
            raise InvalidInput(
                f"column {self.name!r} holds lists or objects; use text or numbers"
            ) from error
        if (unknown := (codes < 0) & present).any():
            raise InvalidInput(self._complaint(column, unknown, "is not one of its levels"))
        return codes.astype(np.float64)

    def _numbers(self, column: pd.Series, present: npt.NDArray[np.bool_]) -> Floats:
        numbers = as_numbers(column)
        broken = ~np.isfinite(numbers) & present
        if broken.any():
            raise InvalidInput(self._complaint(column, broken, "is not a finite number"))
        if self.kind == "integer" and (broken := (numbers != np.round(numbers)) & present).any():
            raise InvalidInput(self._complaint(column, broken, "is not a whole number"))
        outside = (numbers < self.low) | (numbers > float(self.domain[1]))
        if outside.any():
            text = f"lies outside {self.domain[0]}..{self.domain[1]}"
            raise InvalidInput(self._complaint(column, outside, text))
        return numbers

    def _complaint(self, column: pd.Series, at: npt.NDArray[np.bool_], what: str) -> str:
        row = int(np.flatnonzero(at)[0])
        return f"column {self.name!r}, row {row}: {shown(column.iloc[row])} {what}"

    def read(self, frame: pd.DataFrame) -> pd.Series:
        """Return this feature's values in a frame, as levels if it has one-hot columns.

        Raises
        ------
        InvalidInput
            If a column is missing, or the one-hot columns of a row do not name one level.
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
        """Return the columns of a frame for values of this feature; the inverse of ``read``."""
        if not self.columns:
            return {self.name: values}
        levels = self.domain[len(self.domain) - len(self.columns) :]
        return {
            name: (values == level).astype(np.bool_ if self.truths else np.int64)
            for name, level in zip(self.columns, levels, strict=True)
        }

    def numbers(self, unit: Tensor) -> Tensor:
        """Return the nearest possible value of each unit-space number; codes for levels.

        Like ``decode``, but for tensors: a number outside [0, 1] becomes the nearest end of the
        domain. A missing cell becomes NaN, or the code of its level. The result has the shape and
        device of ``unit``; its type is float64.
        """
        raw = self.low + unit.to(torch.float64).clamp(0.0, 1.0) * self.span
        if self.kind != "numeric":
            raw = raw.round()
        elif self.decimals is not None:
            raw = torch.round(raw, decimals=self.decimals)
        return torch.where(is_missing(unit), torch.nan, raw) if self.has_gaps else raw

    def possible(self, unit: Tensor) -> Tensor:
        """Tell which unit-space numbers are possible values; bool, in the shape of ``unit``."""
        slack = SLACK.get(unit.dtype, max(SLACK.values()))
        raw = self.low + unit.to(torch.float64) * self.span
        near = (raw - self.numbers(unit)).abs() <= slack * max(self.span, 1e-300)
        is_value = near & (unit >= -slack) & (unit <= 1 + slack)
        return is_value | (unit == MISSING) if self.has_gaps else is_value

    def decode(self, unit: Floats) -> pd.Series:
        """Return the nearest possible value of each unit-space number, in original units.

        A number outside [0, 1] becomes the nearest end of the domain, a missing cell NaN.
        """
        raw = self.low + np.clip(unit, 0.0, 1.0) * self.span
        if self.missing == "refuse":
            return self._decoded(raw)
        missing = is_missing(unit) if self.has_gaps else np.rint(raw) == self.span
        return with_gaps(self._decoded(np.where(missing, self.low, raw)), missing)

    def _decoded(self, raw: Floats) -> pd.Series:
        if self.has_levels:
            return pd.Series(pd.Index(self.levels).take(np.rint(raw).astype(np.int64)))
        if self.kind == "integer":
            return pd.Series(np.rint(raw).astype(np.int64))
        return pd.Series(raw if self.decimals is None else np.round(raw, self.decimals))
