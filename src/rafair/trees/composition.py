"""Sums and monotone maps of trees and lines, from which composed models are built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.trees.lines import Lines
from rafair.trees.parts import BINARY_PLACES, Affine, Logistic, Part, evaluated
from rafair.trees.table import TreeTable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rafair.trees.parts import Map
    from rafair.trees.table import Reading

__all__ = ["Branch", "Composition", "added", "leaf"]

# Roundings of a probability computed from a score, and of the score read from it.
LINK_ROUNDINGS = 32


@dataclass(frozen=True, eq=False)
class Branch:
    """How the rows of a model become numbers that some of its trees compare.

    Attributes
    ----------
    steps : tuple
        Transformers, one after the other.
    chosen : tuple of int, optional
        The columns behind the steps that these trees were given; all if None.
    reading : Reading
        Of which the columns are used.
    """

    steps: tuple[Any, ...]
    chosen: tuple[int, ...] | None
    reading: Reading

    @property
    def sources(self) -> tuple[int, ...]:
        """The column behind the steps that each column of numbers is computed from."""
        found = self.reading.sources
        return found if self.chosen is None else tuple(self.chosen[place] for place in found)

    def numbers(self, rows: Any) -> npt.NDArray[np.float64]:
        """Return the numbers for rows behind the steps, shape (n, columns)."""
        if self.chosen is not None:
            rows = np.asarray(rows)[:, list(self.chosen)]
        return self.reading.numbers(rows)

    def is_like(self, other: Branch) -> bool:
        """Tell whether another branch has the same numbers."""
        mine, theirs = (
            (one.steps, one.chosen, one.reading.numbers, one.reading.sources)
            for one in (self, other)
        )
        return len(mine[0]) == len(theirs[0]) and all(
            one is two for one, two in zip(mine[0], theirs[0], strict=True)
        ) and mine[1:] == theirs[1:]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Composition:
    """A model as a sum, whose terms are trees, lines or monotone maps of such sums.

    Attributes
    ----------
    table : TreeTable
        All trees; its base is that of the last part. With several parts there are two classes, and
        ``value[:, 1]`` is the margin of the second.
    owner : array of int32, shape (trees,)
        The part that each tree is added to.
    parts : tuple of Part
        The last one is the model's score, and has no maps.
    branches : tuple of Branch
        The columns are those of the branches, one after the other.
    lines : Lines
        They add to the margin of the second of two classes.
    """

    table: TreeTable
    owner: npt.NDArray[np.int32]
    parts: tuple[Part, ...]
    branches: tuple[Branch, ...]
    lines: Lines

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.table.n_classes

    def behind(self, steps: tuple[Any, ...]) -> Composition:
        """Return the model behind transformers."""
        moved = tuple(replace(one, steps=(*steps, *one.steps)) for one in self.branches)
        return replace(self, branches=moved)

    def given(self, columns: Sequence[int]) -> Composition:
        """Return the model of some columns of a matrix."""
        if any(one.steps or one.chosen is not None for one in self.branches):
            raise Unreadable("a pipeline that is given a part of the columns")
        chosen = tuple(map(int, columns))
        return replace(self, branches=tuple(replace(b, chosen=chosen) for b in self.branches))

    def probability(self) -> Composition:
        """Return the probabilities: of two classes, their difference; of more, shares of 1.

        Raises
        ------
        Unreadable
            If there are more than two classes, and a softmax between them.
        """
        table = self.table
        if table.link == "softmax":
            if self.n_classes > 2:
                raise Unreadable("a sum of probabilities of more than two classes from boosting")
            return self.margin().mapped(Logistic()).scaled(2.0, -1.0)
        if table.link == "margin":
            return self
        shares = self if self.n_classes > 2 else self.margin()
        return shares.scaled(1 / self.whole)

    @property
    def whole(self) -> float:
        """What the shares of all classes add up to; NaN if the scores are no shares."""
        if self.table.link != "share":
            return float("nan")
        return float(self.table.base.sum() + self.table.value[_first_leaves(self.table)].sum())

    def raw(self) -> Composition:
        """Return the score before the logistic function, which is ``decision_function``."""
        if self.table.link != "softmax" or self.n_classes > 2:
            raise Unreadable("a score that is not that of boosted trees of two classes")
        return self.margin()

    def margin(self) -> Composition:
        """Return the score of the second of two classes over the first."""
        table = self.table
        value = table.value[:, 1] - table.value[:, 0]
        base = np.array([0.0, table.base[1] - table.base[0]])
        pair = np.stack([np.zeros_like(value), value], axis=1)
        return replace(self, table=replace(table, value=pair, base=base, link="margin"))

    def scaled(self, factor: float, offset: float = 0.0) -> Composition:
        """Return factor · score + offset, the offset for the second class."""
        root = len(self.parts) - 1
        value, base = self.table.value.copy(), self.table.base * factor
        base[1] += offset
        own = _nodes_of(self.table, self.owner == root)
        value[own] *= factor
        lines = np.where(self.lines.owner == root, factor, 1.0) * self.lines.factor
        times = Affine(factor, 0.0)
        parts = [
            replace(part, maps=(*part.maps, times)) if part.parent == root else part
            for part in self.parts
        ]
        return replace(
            self,
            table=replace(self.table, value=value, base=base),
            parts=tuple(parts),
            lines=replace(self.lines, factor=lines),
        )

    def mapped(self, *maps: Map) -> Composition:
        """Return monotone maps, one after the other, of a margin."""
        slack = 2 * self.slack() + LINK_ROUNDINGS * self.table.unit
        inner = Part(len(self.parts), float(self.table.base[1]), maps, slack)
        table = replace(self.table, base=np.zeros(2))
        return replace(self, table=table, parts=(*self.parts[:-1], inner, Part()))

    def size(self, label: int = 1) -> float:
        """Bound the size of a class's score, apart from the lines that are added to it."""
        root, table = len(self.parts) - 1, self.table
        order = np.argsort(table.roots)
        sizes = np.maximum.reduceat(np.abs(table.value[:, label]), table.roots[order])
        own = float(sizes[self.owner[order] == root].sum())
        return abs(float(table.base[label])) + own + self._reach()

    def slack(self, label: int = 1) -> float:
        """Bound the rounding of the model's own sum of its last part, apart from its lines."""
        unit, share = self.table.unit, self.share
        reach = self._reach()
        maps = LINK_ROUNDINGS * unit * (1 + reach) if reach else 0.0
        return share * self.size(label) + maps

    @property
    def share(self) -> float:
        """Bound the rounding of the model's sums, as a share of the sizes of their terms.

        Source: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1.
        """
        n = len(self.table.roots) + len(self.lines) + len(self.parts) + 3
        return n * self.table.unit / (1 - n * self.table.unit)

    def _reach(self) -> float:
        root = len(self.parts) - 1
        return sum(part.reach() for part in self.parts if part.parent == root)

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """Whether the score rises with each part, 1, or falls, −1; shape (parts,)."""
        found = np.ones(len(self.parts))
        for place in range(len(self.parts) - 2, -1, -1):
            part = self.parts[place]
            found[place] = found[part.parent] * part.direction
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the score is a sum of numbers with few binary places, which is not rounded."""
        root = len(self.parts) - 1
        is_own = _nodes_of(self.table, self.owner == root) & (self.table.left < 0)
        own = self.table.value[is_own]
        numbers = np.append(own, self.table.base) * 2.0**BINARY_PLACES
        is_whole = bool((numbers == np.round(numbers)).all())
        is_whole &= not bool((self.lines.owner == root).any())
        return is_whole and all(p.is_whole for p in self.parts if p.parent == root)

    def scores(
        self, values: npt.NDArray[np.float64], lines: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the scores, shape (n, k).

        Parameters
        ----------
        values : array, shape (n, trees, k)
            What each tree adds.
        lines : array, shape (n, parts)
            What the lines add to each part.
        """
        if len(self.parts) == 1:
            total: npt.NDArray[np.float64] = self.table.base + values.sum(axis=1)
            total[:, 1] += lines[:, 0]
            return total
        sums = lines.copy()
        for place in range(len(self.parts)):
            sums[:, place] += values[:, self.owner == place, 1].sum(axis=1)
        margin = evaluated(self.parts, sums, float(self.table.base[1]))
        return np.stack([np.zeros_like(margin), margin], axis=1)


def leaf(reading: Reading) -> Composition:
    """Return the model of one ensemble."""
    owner = np.zeros(len(reading.table.roots), np.int32)
    branches = (Branch((), None, reading),)
    return Composition(reading.table, owner, (Part(),), branches, Lines.of(reading.weights))


def added(members: Sequence[Composition]) -> Composition:
    """Return the sum of scores of one meaning."""
    if len({one.n_classes for one in members}) > 1:
        raise Unreadable("a member that knows other classes")
    if len({one.table.link for one in members}) > 1:
        raise Unreadable("members whose scores mean different things")
    branches, columns = _joined_branches(members)
    last = sum(len(one.parts) - 1 for one in members)
    parts: list[Part] = []
    owners, tables, lines = [], [], []
    for one, moved in zip(members, columns, strict=True):
        root, before = len(one.parts) - 1, len(parts)
        places = np.append(np.arange(root) + before, last)
        parts += [replace(p, parent=int(places[p.parent])) for p in one.parts[:-1]]
        owners.append(places[one.owner])
        column = one.table.column
        tables.append(replace(one.table, column=np.where(column < 0, -1, moved[column])))
        lines.append((moved[one.lines.column], places[one.lines.owner], one.lines.factor))
    base = np.sum([one.table.base for one in members], axis=0)
    unit = max(one.table.unit for one in members)
    table = TreeTable.of(tables, base, members[0].table.link, unit)
    owner = np.concatenate(owners).astype(np.int32)
    column, place, factor = (np.concatenate(part) for part in zip(*lines, strict=True))
    joined = Lines(column.astype(np.int32), place.astype(np.int32), factor)
    return Composition(table, owner, (*parts, Part()), branches, joined)


def _joined_branches(
    members: Sequence[Composition],
) -> tuple[tuple[Branch, ...], list[npt.NDArray[np.int32]]]:
    """Return all branches, equal ones once, and where each member's columns are among theirs."""
    branches: list[Branch] = []
    starts: list[int] = []
    width = 0
    places = []
    for one in members:
        columns: list[int] = []
        for branch in one.branches:
            n = len(branch.sources)
            at = next((p for p, known in enumerate(branches) if known.is_like(branch)), None)
            if at is None:
                at = len(branches)
                branches.append(branch)
                starts.append(width)
                width += n
            columns += range(starts[at], starts[at] + n)
        places.append(np.array(columns, np.int32))
    return tuple(branches), places


def _first_leaves(table: TreeTable) -> npt.NDArray[np.int32]:
    """Return a leaf of each tree."""
    at = table.roots
    while bool((table.left[at] >= 0).any()):
        at = np.where(table.left[at] >= 0, table.left[at], at)
    return at


def _nodes_of(table: TreeTable, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which nodes belong to some trees; a tree's root is its first node."""
    order = np.argsort(table.roots)
    place = np.searchsorted(table.roots[order], np.arange(len(table.column)), side="right") - 1
    found: npt.NDArray[np.bool_] = chosen[order][place]
    return found
