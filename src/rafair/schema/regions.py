"""Regions: sets of people, named by conditions on single columns."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.schema.expressions import SHOWN, TRUTHS, Expression, is_number, read_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema.feature import Feature

__all__ = ["Conditioned", "Interval", "Region", "read_region", "read_regions"]

# The lowest and the highest value, in unit space.
Interval: TypeAlias = tuple[float, float]
# What ``read_region`` reads.
Conditioned: TypeAlias = str | Mapping[str, Any] | None

MAX_LENGTH, MAX_BOXES = 10_000, 4_096
# Tolerance, as a share of a spacing, for the rounding of a possible value.
ON_LATTICE = 1e-6
# Tolerance for the rounding of a number in [0, 1] to float32.
SLACK = 1e-6
FLIPPED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq}
HOW = "write conditions such as: age in [25, 40], sex == 'female', hours >= 30"


@dataclass(frozen=True)
class Region:
    """The people whose value of every feature lies in one of the feature's intervals.

    Attributes
    ----------
    text : str
        The region as the user wrote it; empty for everybody.
    intervals : tuple of tuples of Interval, length d
        For each feature its intervals, in increasing order and without common points. Their ends
        are possible values.
    """

    text: str
    intervals: tuple[tuple[Interval, ...], ...]

    def holds(self, x: Tensor, columns: Sequence[int] | None = None) -> Tensor:
        """Tell which people lie in the region.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space; or (n, s) with ``columns``
        columns : sequence of int, length s, optional
            The columns that x has, if not all; only these are compared.

        Returns
        -------
        Tensor of bool, shape (n,)
        """
        inside = torch.ones(len(x), dtype=torch.bool, device=x.device)
        for place, column in enumerate(range(x.shape[1]) if columns is None else columns):
            value = x[:, place]
            among = torch.zeros_like(inside)
            for low, high in self.intervals[column]:
                among |= (value >= low - SLACK) & (value <= high + SLACK)
            inside &= among
        return inside

    def boxes(self, apart_from: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest point of each box of the region, each (b, d), float64.

        Parameters
        ----------
        apart_from : sequence of int
            Columns whose intervals are ignored; the boxes have 0 there.
        """
        axes = [
            ((0.0, 0.0),) if column in apart_from else several
            for column, several in enumerate(self.intervals)
        ]
        ends = torch.tensor(list(itertools.product(*axes)), dtype=torch.float64)
        return ends[:, :, 0], ends[:, :, 1]


def read_regions(
    regions: Conditioned | Sequence[Conditioned], features: Sequence[Feature]
) -> tuple[Region, ...]:
    """Return one region, or those of a list; see ``read_region``.

    Raises
    ------
    InvalidInput
        If the list is empty, or one of the regions cannot be read.
    """
    several = regions if isinstance(regions, list | tuple) else (regions,)
    if not several:
        raise InvalidInput("the list of regions is empty; name at least one")
    return tuple(read_region(each, features) for each in several)


def read_region(region: Conditioned, features: Sequence[Feature]) -> Region:
    """Return the region that conditions on features describe.

    Parameters
    ----------
    region : str, mapping or None
        A text of conditions with commas between them, which all hold: ``age in [25, 40]``,
        ``30 <= hours <= 50``, ``sex == 'female'``, ``race in ['White', 'Black']``. Back-quotes
        enclose a name with spaces or signs. In ``in [a, b]`` a and b are the ends of a range,
        both included, for numbers and ordinal levels; for categories the list names the levels.
        Or a mapping from a feature's name to one value (==) or to such a list; None leaves an end
        of a range open. None, or an empty text or mapping, is everybody.
    features : sequence of Feature

    Returns
    -------
    Region
        ``<`` and ``>`` exclude the number itself where possible values have a distance, and mean
        ``<=`` and ``>=`` where a feature takes every number.

    Raises
    ------
    InvalidInput
        If a condition cannot be read, names no feature or no level, or no possible value meets it;
        or if the region has more than 4,096 boxes.
    """
    if isinstance(region, Mapping):
        text = ", ".join(f"{name} {_written(value)}" for name, value in region.items())
        reading = _Reading(text, features)
        for name, value in region.items():
            reading.take_value(str(name), value)
    elif region is None or isinstance(region, str):
        reading = _Reading(region or "", features)
        reading.take_text()
    else:
        raise InvalidInput(f"a region must be a text or a mapping, not a {type(region).__name__}")
    return Region(reading.text, reading.intervals())


def _written(value: Any) -> str:
    return f"in {list(value)}" if isinstance(value, list | tuple) else f"== {value!r}"


class _Reading:
    """The parser of one region; it narrows the values of each feature, condition by condition."""

    def __init__(self, text: str, features: Sequence[Feature]) -> None:
        self.text = text.strip()
        self.features = {feature.name: feature for feature in features}
        self.ranges: dict[str, Interval] = dict.fromkeys(self.features, (-math.inf, math.inf))
        self.levels = {f.name: set(range(len(f.domain))) for f in features if f.has_levels}

    def wrong(self, why: str) -> InvalidInput:
        text = self.text if len(self.text) <= SHOWN else f"{self.text[:SHOWN]}…"
        return InvalidInput(f"region {text!r}: {why}")

    def intervals(self) -> tuple[tuple[Interval, ...], ...]:
        found = tuple(map(self._intervals, self.features.values()))
        if math.prod(map(len, found)) > MAX_BOXES:
            raise self.wrong(f"it has more than {MAX_BOXES:,} boxes; name fewer levels")
        return found

    def take_text(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise self.wrong(f"longer than {MAX_LENGTH:,} characters")
        if not self.text:
            return
        expression = read_expression(self.text, self.features, self.wrong)
        tree = expression.tree
        for part in tree.elts if isinstance(tree, ast.Tuple) else [tree]:
            if not isinstance(part, ast.Compare):
                raise self.wrong(HOW)
            sides = [part.left, *part.comparators]
            for left, sign, right in zip(sides[:-1], part.ops, sides[1:], strict=True):
                self._take_comparison(expression, left, sign, right)

    def _take_comparison(
        self, expression: Expression, left: ast.expr, sign: ast.cmpop, right: ast.expr
    ) -> None:
        name, other = expression.name(left), right
        if name is None or (name in TRUTHS and name not in self.features):
            name, other = expression.name(right), left
            if name is None or type(sign) not in FLIPPED:
                raise self.wrong(HOW)
            sign = FLIPPED[type(sign)]()
        if isinstance(sign, ast.In):
            if not isinstance(other, ast.List | ast.Tuple):
                raise self.wrong(f"after 'in' comes a list; {HOW}")
            self.take_value(name, [self._constant(each) for each in other.elts])
        elif type(sign) in FLIPPED:
            self._compare(self._feature(name), type(sign), self._constant(other))
        else:
            raise self.wrong("use one of in, ==, <=, >=, <, >")

    def _constant(self, part: ast.expr) -> Any:
        """Return the value of a constant; words without quotes are texts."""
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub | ast.UAdd):
            value = self._constant(part.operand)
            if is_number(value):
                return -value if isinstance(part.op, ast.USub) else value
        if isinstance(part, ast.Name) and part.id in TRUTHS:
            return TRUTHS[part.id]
        if isinstance(part, ast.Constant):
            return part.value
        raise self.wrong(f"a feature is compared with a number or a level in quotes; {HOW}")

    def take_value(self, name: str, value: Any) -> None:
        """Narrow a feature to one value, to a range, or to some levels."""
        feature = self._feature(name)
        if not isinstance(value, list | tuple):
            self._compare(feature, ast.Eq, value)
        elif feature.kind == "categorical":
            self._keep(feature, {self._code(feature, each) for each in value})
        elif len(value) != 2:
            raise self.wrong(f"{name!r} takes a range of two ends, as in 'age in [25, 40]'")
        else:
            for sign, end in zip((ast.GtE, ast.LtE), value, strict=True):
                if end is not None:
                    self._compare(feature, sign, end)

    def _feature(self, name: str) -> Feature:
        if name not in self.features:
            raise self.wrong(f"there is no feature {name!r}")
        return self.features[name]

    def _compare(self, feature: Feature, sign: type[ast.cmpop], value: Any) -> None:
        if feature.has_levels:
            code = self._code(feature, value)
            if feature.kind == "categorical" and sign is not ast.Eq:
                raise self.wrong(f"the levels of {feature.name!r} have no order; use == or in")
            last = len(feature.domain)
            self._keep(feature, set(range(last)[_slice(sign, code)]))
            return
        if not is_number(value) or not math.isfinite(value):
            raise self.wrong(f"{feature.name!r} is compared with a number, not {value!r}")
        unit = (float(value) - feature.low) / feature.span if feature.span else 0.0
        if not feature.span and value != feature.low:
            unit = math.copysign(math.inf, value - feature.low)
        low, high = self.ranges[feature.name]
        step = feature.spacing * 2 * ON_LATTICE  # enough to leave the value itself out
        if sign in (ast.GtE, ast.Gt, ast.Eq):
            low = max(low, unit + step * (sign is ast.Gt))
        if sign in (ast.LtE, ast.Lt, ast.Eq):
            high = min(high, unit - step * (sign is ast.Lt))
        self.ranges[feature.name] = (low, high)

    def _code(self, feature: Feature, level: Any) -> int:
        same = [code for code, known in enumerate(feature.domain) if _is_same(known, level)]
        if not same:
            known = ", ".join(map(repr, feature.domain[:8]))
            name = feature.name
            raise self.wrong(f"{level!r} is no level of {name!r}; its levels are {known}")
        return same[0]

    def _keep(self, feature: Feature, codes: set[int]) -> None:
        self.levels[feature.name] &= codes

    def _intervals(self, feature: Feature) -> tuple[Interval, ...]:
        spacing = feature.spacing
        if feature.has_levels:
            runs = _runs(sorted(self.levels[feature.name]))
            found = tuple((first * spacing, last * spacing) for first, last in runs)
        else:
            found = tuple(_possible(*self.ranges[feature.name], feature))
        if not found:
            raise self.wrong(f"no possible value of {feature.name!r} lies in it")
        return found


def _slice(sign: type[ast.cmpop], code: int) -> slice:
    """Return which codes compare with this one as asked."""
    return {
        ast.Eq: slice(code, code + 1),
        ast.LtE: slice(0, code + 1),
        ast.Lt: slice(0, code),
        ast.GtE: slice(code, None),
        ast.Gt: slice(code + 1, None),
    }[sign]


def _is_same(known: object, level: object) -> bool:
    """Compare two levels; 1 and true are different."""
    return known == level and isinstance(known, bool) == isinstance(level, bool)


def _runs(codes: list[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of neighbouring codes."""
    starts = [code for code in codes if code - 1 not in codes]
    ends = [code for code in codes if code + 1 not in codes]
    return list(zip(starts, ends, strict=True))


def _possible(low: float, high: float, feature: Feature) -> list[Interval]:
    """Return the range between the lowest and the highest possible value inside [low, high]."""
    low, high = max(low, 0.0), min(high, 1.0 if feature.span else 0.0)
    spacing = feature.spacing
    if spacing and low <= high:
        low = math.ceil(low / spacing - ON_LATTICE) * spacing
        high = math.floor(high / spacing + ON_LATTICE) * spacing
    return [(low, high)] if low <= high else []
