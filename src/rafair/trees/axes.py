"""Cuts every feature into pieces that no test of a tree divides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.models.piecewise import possible_numbers
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from rafair.kernels.forests import Tests
    from rafair.schema import Feature
    from rafair.trees.columns import TreeColumns

__all__ = ["Axis", "Pulled", "pull_back"]

# Where a test is tried first, as seen from where its line meets the threshold, in unit space:
# beyond the rounding of values to possible ones, and that of float32.
NEAR = np.array([-1e-3, -3e-7, 3e-7, 1e-3])
# Where it is tried in the interval that is left then; a call of the model costs more than its rows.
SHARES = np.arange(1, 8) / 8
# Where a feature that changes within pieces is cut, besides the tests: several ramps of different
# parts are bounded one by one, so that smaller pieces are bounded better.
GRAIN = np.arange(1, 64) / 64


@dataclass(frozen=True, eq=False)
class Axis:
    """The pieces of one feature.

    Attributes
    ----------
    feature : Feature
    numbers : array of float64, optional
        The feature's possible values, each of which is a piece; the model rounds to them.
    cuts : array of float64
        Otherwise, the unit-space number at which each piece but the first begins.
    """

    feature: Feature
    numbers: npt.NDArray[np.float64] | None
    cuts: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cuts) + 1 if self.numbers is None else len(self.numbers)

    def pieces(self, unit: Tensor) -> npt.NDArray[np.int32]:
        """Return the piece of each unit-space number, of the same shape."""
        if self.numbers is None:
            found = np.searchsorted(self.cuts, unit.to(torch.float64).numpy(), side="right")
        else:
            middles = (self.numbers[1:] + self.numbers[:-1]) / 2
            found = np.searchsorted(middles, self.feature.numbers(unit).numpy(), side="right")
        return found.astype(np.int32)

    def ends(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the least and the greatest unit-space number of each piece, shape (pieces,)."""
        if self.numbers is not None:
            units = (self.numbers - self.feature.low) / (self.feature.span or 1.0)
            return units, units
        return np.append(0.0, self.cuts), np.append(np.nextafter(self.cuts, -np.inf), 1.0)


@dataclass(frozen=True, eq=False)
class Pulled:
    """The tests of a model's trees, as tests of pieces.

    Attributes
    ----------
    axes : tuple of Axis
    tests : Tests
    test : array of int32, shape (nodes,)
        The test of each node; −1 at a leaf.
    is_turned : array of bool, shape (nodes,)
        Whether the first pieces do not meet the node's own test: left and right change places.
    """

    axes: tuple[Axis, ...]
    tests: Tests
    test: npt.NDArray[np.int32]
    is_turned: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Unique:
    """The different tests of a table: of each a node, its feature, and which nodes share it."""

    node: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int32]
    shared: npt.NDArray[np.int64]

    @classmethod
    def of(cls, columns: TreeColumns) -> _Unique:
        table = columns.composition.table
        inner = np.flatnonzero(table.column >= 0)
        parts = (table.column, table.threshold, table.is_strict, table.missing_left)
        sets = np.where(table.categories >= 0, table.categories, -1)
        keys = [part[inner] for part in (sets, *parts[::-1])]
        order = np.lexsort(keys)
        ordered = [key[order] for key in keys]
        is_first = np.ones(len(inner), np.bool_)
        is_first[1:] = np.any([key[1:] != key[:-1] for key in ordered], axis=0)
        node = inner[order[is_first]]
        places = np.full(len(table.column), -1, np.int64)
        places[inner[order]] = np.cumsum(is_first) - 1
        return cls(node, columns.feature[table.column[node]], places)


def pull_back(columns: TreeColumns) -> Pulled:
    """Find the pieces of every feature, and what each test says of them.

    The test of a line is met on one side of a number, which is found by halving, with the model's
    own transformers, until its neighbours in float64 differ. Any other test is tried at each
    possible value.
    """
    unique, features = _Unique.of(columns), columns.schema.features
    table = columns.composition.table
    listed = [possible_numbers(f) if columns.rounds(p) else None for p, f in enumerate(features)]
    is_line = np.array([f < 0 or listed[f] is None for f in unique.feature], np.bool_)
    lines = np.flatnonzero(is_line)
    if bool((table.categories[unique.node[lines]] >= 0).any()):
        raise Unreadable("a test of categories on a feature whose values are not listed")
    flips, starts = _flips(columns, unique, lines)
    sloped = set(columns.feature[columns.composition.lines.column].tolist())
    axes = []
    for place, feature in enumerate(features):
        own = flips[(unique.feature[lines] == place) & np.isfinite(flips)]
        numbers = listed[place]
        if numbers is None:
            more = _grain(feature, own) if place in sloped else np.zeros(0)
            axes.append(Axis(feature, None, np.unique(np.append(own, more))))
        else:
            axes.append(Axis(feature, np.array(numbers), np.zeros(0)))
    met = {p: _tried(columns, axes[p], p) for p, one in enumerate(listed) if one is not None}
    rows = _Rows()
    turned = np.zeros(len(unique.node), np.bool_)
    for at, flip, start in zip(lines.tolist(), flips.tolist(), starts.tolist(), strict=True):
        turned[at] = np.isfinite(flip) and not start
        rows.line(axes, int(unique.feature[at]), flip, is_met=bool(start))
    for at in np.flatnonzero(~is_line).tolist():
        node, place = int(unique.node[at]), int(unique.feature[at])
        told = table.met(node, met[place][:, table.column[node]])
        rows.listed(place, told)
    order = np.concatenate([lines, np.flatnonzero(~is_line)])
    places = np.full(len(unique.node) + 1, -1, np.int32)
    places[order] = np.arange(len(order))
    test = places[unique.shared]
    is_turned = np.append(turned, False)[unique.shared]
    return Pulled(tuple(axes), rows.tests(), test.astype(np.int32), is_turned)


def _grain(feature: Feature, flips: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return more cuts for a feature that changes within pieces.

    Every piece still holds a possible value, and only one if these are listed.
    """
    if not feature.spacing:
        return GRAIN
    numbers = possible_numbers(feature)
    last = max(round(1 / feature.spacing), 1)
    below = np.round(GRAIN * last).astype(int) if numbers is None else np.arange(last)
    unit = np.unique(below) / last
    is_cut = np.searchsorted(flips, unit, "right") < np.searchsorted(
        flips, unit + 1 / last, "right"
    )
    found: npt.NDArray[np.float64] = unit[~is_cut] + 0.5 / last
    return found[found < 1.0]


class _Rows:
    """Collects the columns of ``Tests``."""

    def __init__(self) -> None:
        self.feature: list[int] = []
        self.cut: list[int] = []
        self.members: list[int] = []
        self.counts: list[npt.NDArray[np.int32]] = []
        self.length = 0

    def line(self, axes: list[Axis], feature: int, flip: float, *, is_met: bool) -> None:
        """Add a test that changes at a number, or never."""
        if not np.isfinite(flip):
            self._add(max(feature, 0), 1 << 30 if is_met else -1, -1)
        else:
            self._add(feature, int(np.searchsorted(axes[feature].cuts, flip)), -1)

    def listed(self, feature: int, told: npt.NDArray[np.bool_]) -> None:
        """Add a test of which each piece's answer is known."""
        count = int(told.sum())
        if bool(told[:count].all()):
            self._add(feature, count - 1, -1)
            return
        self._add(feature, 0, self.length)
        self.counts.append(np.append(0, np.cumsum(told)).astype(np.int32))
        self.length += len(told) + 1

    def _add(self, feature: int, cut: int, members: int) -> None:
        self.feature.append(feature)
        self.cut.append(cut)
        self.members.append(members)

    def tests(self) -> Tests:
        """Return the tests."""
        from rafair.kernels.forests import Tests

        counts = np.concatenate([np.zeros(0, np.int32), *self.counts])
        feature, cut, members = (
            np.array(column, np.int32) for column in (self.feature, self.cut, self.members)
        )
        return Tests(feature, cut, members, counts)


def _tried(columns: TreeColumns, axis: Axis, place: int) -> npt.NDArray[np.float64]:
    """Return the columns at each possible value of a feature."""
    rows = np.zeros((len(axis), len(columns.schema.features)))
    rows[:, place] = axis.ends()[0]
    return columns.numbers(rows)


def _flips(
    columns: TreeColumns, unique: _Unique, lines: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the least number after which each test of a line has changed, and what it says at 0.

    The number is NaN for a test that says the same in all of [0, 1].
    """
    ask = _Asked(columns, unique, lines)
    low, high = np.zeros(len(lines)), np.ones(len(lines))
    start, end = ask(np.stack([low, high]))
    is_open = start != end
    table = columns.composition.table
    column, cut = table.column[unique.node[lines]], table.threshold[unique.node[lines]]
    with np.errstate(divide="ignore", invalid="ignore"):
        guess = (cut - columns.offset[column]) / columns.slope[column]
    probes = np.nan_to_num(guess + NEAR[:, None], nan=0.0, posinf=1.0, neginf=0.0)
    while is_open.any():
        told = ask(np.clip(probes, low, high), is_open) == start
        low = np.where(is_open, np.where(told, np.clip(probes, low, high), low).max(axis=0), low)
        high = np.where(is_open, np.where(told, high, np.clip(probes, low, high)).min(axis=0), high)
        middle = (low + high) / 2
        is_open &= (low < middle) & (middle < high)
        probes = low + (high - low) * SHARES[:, None]
    return np.where(start != end, high, np.nan), start


class _Asked:
    """Asks many tests at once: a row has a number of its own for every feature."""

    def __init__(self, columns: TreeColumns, unique: _Unique, lines: npt.NDArray[np.int64]) -> None:
        self.columns, self.table = columns, columns.composition.table
        self.node, self.feature = unique.node[lines], unique.feature[lines]

    def __call__(
        self, unit: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Tell which tests are met at several numbers each, (probes, tests).

        Tests that are not chosen, (tests,), are not asked; they are not met.
        """
        told = np.zeros(unit.shape, np.bool_)
        picked = np.ones(len(self.node), np.bool_) if chosen is None else chosen
        probe, place = np.nonzero(np.broadcast_to(picked, unit.shape))
        if not len(place):
            return told
        feature, node = self.feature[place], self.node[place]
        row = np.zeros(len(place), np.int64)
        for one in np.unique(feature):
            row[feature == one] = np.arange((feature == one).sum())
        x = np.zeros((int(row.max()) + 1, len(self.columns.schema.features)))
        moved = feature >= 0
        x[row[moved], feature[moved]] = unit[probe, place][moved]
        numbers = self.columns.numbers(x)[row, self.table.column[node]]
        cut = self.table.threshold[node]
        below = np.where(self.table.is_strict[node], numbers < cut, numbers <= cut)
        told[probe, place] = np.where(np.isnan(numbers), self.table.missing_left[node], below)
        return told
