"""Shallow trees whose worst case over I(v) × Δ is bounded while they grow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from rafair.kernels.stumps import split_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    Numbers: TypeAlias = npt.NDArray[np.float64]
    Pieces: TypeAlias = npt.NDArray[np.int32]
    Rows: TypeAlias = npt.NDArray[np.int64]

__all__ = ["Grower", "Tree", "TreeMargins"]

# The penalty of a leaf's square, and the least curvature on each side of a split, in people. The
# curvature of one person's loss is at most a quarter.
RIDGE, LEAST = 10.0, 20.0
# Newton steps of all leaves together, after a tree has grown.
REFITS = 5
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of one depth; node i has the children 2i + 1, below its cut, and 2i + 2.

    Attributes
    ----------
    feature : array of int64, shape (2^depth − 1,)
        −1 where a node is not split: all go to the first child.
    piece : array of int64, shape (2^depth − 1,)
        The first piece above the cut.
    value : array, shape (2^depth,)
        What a leaf adds.
    low, high : array, shape (2^depth,)
        Between which a leaf must stay, so that monotone features stay monotone.
    """

    feature: Rows
    piece: Rows
    value: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def empty(cls, depth: int) -> Tree:
        """Return a tree that is not split and adds 0."""
        inner, leaves = 2**depth - 1, 2**depth
        ends = np.full(leaves, -np.inf), np.full(leaves, np.inf)
        return cls(np.full(inner, NOBODY), np.zeros(inner, np.int64), np.zeros(leaves), *ends)

    def scaled(self, share: float) -> Tree:
        """Return the tree with a share of what its leaves add."""
        return replace(self, value=share * self.value)

    def state(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint keeps."""
        return {name: torch.from_numpy(part) for name, part in vars(self).items()}

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> Tree:
        """Return the tree of ``state``."""
        return cls(**{name: part.numpy() for name, part in state.items()})

    def reach(self, first: Pieces, last: Pieces) -> npt.NDArray[np.bool_]:
        """Tell which leaves people can reach whose features lie in these pieces, (n, leaves)."""
        level = [np.ones(first.shape[1], np.bool_)]
        for node in range(len(self.feature)):
            here, place, piece = level[node], self.feature[node], self.piece[node]
            if place == NOBODY:
                level += [here, np.zeros_like(here)]
            else:
                level += [here & (first[place] < piece), here & (last[place] >= piece)]
        return np.stack(level[len(self.feature) :], axis=1)


class TreeMargins:
    """What trees add to the margins of people: at v, and at least over the box of I(v) × Δ.

    The least over a sum of trees is at least the sum of the least over each.

    Parameters
    ----------
    intervals : pair of pairs of arrays, shape (d, n)
        First and last piece of each feature: at v, and over the box.
    side : array, shape (n,)
        1 or −1.
    """

    def __init__(self, intervals: Sequence[tuple[Pieces, Pieces]], side: Numbers) -> None:
        self.intervals, self.side = intervals, side
        self.both = [np.zeros(len(side)) for _ in intervals]

    def least(self, tree: Tree) -> list[Numbers]:
        """Return what a tree adds at least, at v and over the box, each (n,)."""
        return [worst.min(axis=1) for worst in self.leaves(tree)]

    def leaves(self, tree: Tree) -> list[Numbers]:
        """Return side · value of each leaf, ∞ where it is out of reach, (n, leaves) each."""
        signed = self.side[:, None] * tree.value
        return [np.where(tree.reach(*ends), signed, np.inf) for ends in self.intervals]

    def add(self, tree: Tree) -> None:
        """Take up a tree."""
        for margins, more in zip(self.both, self.least(tree), strict=True):
            margins += more


@dataclass(frozen=True, eq=False)
class _Node:
    """A node that grows: its people at v and in their worst case, its box and bounds."""

    rows: tuple[Rows, Rows]
    first: Rows
    last: Rows
    low: float = -np.inf
    high: float = np.inf

    def child(self, rows: tuple[Rows, Rows], place: int, piece: int, *, above: bool) -> _Node:
        """Return the node above or below a cut."""
        first, last = self.first.copy(), self.last.copy()
        if above:
            first[place] = piece
        else:
            last[place] = piece - 1
        return replace(self, rows=rows, first=first, last=last)


@dataclass(frozen=True, eq=False)
class _Split:
    """The best cut of a node: its gain, and the Newton steps of both sides."""

    gain: float = 0.0
    place: int = NOBODY
    piece: int = 0
    rises: bool = True
    values: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Grower:
    """Grows trees on people.

    Parameters
    ----------
    margins : TreeMargins
        The people.
    features : sequence of int
        Which features a tree may be about.
    sizes : sequence of int
        How many pieces each feature has.
    depth : int
    direction : array of int64, shape (d,)
        1 where the score must not fall with a feature, −1 where it must not rise, else 0.
    unit : float
        The mean weight of a person in the loss.
    """

    margins: TreeMargins
    features: Sequence[int]
    sizes: Sequence[int]
    depth: int
    direction: Rows
    unit: float

    def grow(self, weights: Sequence[Numbers], margins: Sequence[Numbers]) -> Tree:
        """Return the tree that lowers the loss most, found greedily.

        Parameters
        ----------
        weights : pair of arrays, shape (n,)
            Of each person's loss at v, and in the worst case.
        margins : pair of arrays, shape (n,)
            Those that it is added to.
        """
        slopes = [w / (1 + np.exp(m)) for w, m in zip(weights, margins, strict=True)]
        curvatures = [s / (1 + np.exp(-m)) for s, m in zip(slopes, margins, strict=True)]
        everybody = np.arange(len(self.margins.side))
        sizes = np.asarray(self.sizes)
        tree = Tree.empty(self.depth)
        nodes = [_Node((everybody, everybody), np.zeros_like(sizes), sizes - 1)]
        for number in range(len(tree.feature)):
            nodes += self._split(tree, number, nodes[number], slopes, curvatures)
        for leaf, node in enumerate(nodes[len(tree.feature) :]):
            tree.low[leaf], tree.high[leaf] = node.low, node.high
            slope, curvature = self._totals(node, slopes, curvatures)
            step = slope / (curvature + RIDGE * self.unit)
            tree.value[leaf] = np.clip(step, node.low, node.high)
        return self._refitted(tree, weights, margins)

    def _split(
        self,
        tree: Tree,
        number: int,
        node: _Node,
        slopes: Sequence[Numbers],
        curvatures: Sequence[Numbers],
    ) -> tuple[_Node, _Node]:
        """Split a node where that gains most; without a gain the second child has nobody."""
        best = max(self._splits(node, slopes, curvatures), key=lambda s: s.gain, default=_Split())
        if best.place == NOBODY:
            none = np.zeros(0, np.int64)
            return node, replace(node, rows=(none, none))
        tree.feature[number], tree.piece[number] = best.place, best.piece
        here, there = (self._below(node, best, worst) for worst in (0, 1))
        at_v, least = node.rows
        where = best.place, best.piece
        below = node.child((at_v[here], least[there]), *where, above=False)
        above = node.child((at_v[~here], least[~there]), *where, above=True)
        if not self.direction[best.place]:
            return below, above
        middle = float(np.clip(sum(best.values) / 2, node.low, node.high))
        if best.rises:
            return replace(below, high=middle), replace(above, low=middle)
        return replace(below, low=middle), replace(above, high=middle)

    def _below(self, node: _Node, split: _Split, worst: int) -> npt.NDArray[np.bool_]:
        """Tell who of a node is below a cut, at v or in the worst case."""
        rows, (first, last) = node.rows[worst], self.margins.intervals[worst]
        takes_first = (self.margins.side[rows] > 0) == split.rises
        deciding = np.where(takes_first, first[split.place, rows], last[split.place, rows])
        found: npt.NDArray[np.bool_] = deciding < split.piece
        return found

    def _splits(
        self, node: _Node, slopes: Sequence[Numbers], curvatures: Sequence[Numbers]
    ) -> Iterator[_Split]:
        """Yield the best cut of each feature, for a larger score above it and below it."""
        for place in self.features:
            low, high = int(node.first[place]), int(node.last[place])
            if low == high:
                continue
            sums = np.zeros((4, self.sizes[place]))
            for rows, (first, last), slope, curvature in zip(
                node.rows, self.margins.intervals, slopes, curvatures, strict=True
            ):
                ends = (first[place], last[place], low, high)
                split_sums(rows, *ends, self.margins.side, slope, curvature, sums)
            for rises, part in ((True, sums[:2]), (False, sums[2:])):
                if self.direction[place] != (-1 if rises else 1):
                    yield self._best_cut(node, place, part[:, low : high + 1], rises=rises)

    def _best_cut(self, node: _Node, place: int, sums: Numbers, *, rises: bool) -> _Split:
        """Return the best cut of a feature between the pieces of a node."""
        ridge, least = RIDGE * self.unit, LEAST * self.unit / 4
        below = sums.cumsum(axis=1)[:, :-1]
        whole = sums.sum(axis=1, keepdims=True)
        above = whole - below
        left, right = (
            np.clip(slope / (curvature + ridge), node.low, node.high)
            for slope, curvature in (below, above)
        )
        gain = _gain(below, left, ridge) + _gain(above, right, ridge)
        slope, curvature = whole
        own = np.clip(slope / (curvature + ridge), node.low, node.high)
        gain -= _gain(whole, own, ridge)
        possible = (below[1] >= least) & (above[1] >= least) & ((right > left) == rises)
        gain = np.where(possible, gain, 0.0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            return _Split()
        piece = int(node.first[place]) + best + 1
        values = float(left[best]), float(right[best])
        return _Split(float(gain[best]), place, piece, rises, values)

    def _totals(
        self, node: _Node, slopes: Sequence[Numbers], curvatures: Sequence[Numbers]
    ) -> tuple[float, float]:
        slope = sum(
            float((self.margins.side[rows] * one[rows]).sum())
            for rows, one in zip(node.rows, slopes, strict=True)
        )
        curvature = sum(
            float(one[rows].sum()) for rows, one in zip(node.rows, curvatures, strict=True)
        )
        return slope, curvature

    def _refitted(self, tree: Tree, weights: Sequence[Numbers], margins: Sequence[Numbers]) -> Tree:
        """Return the tree with the leaves that have the least bounded loss of some Newton steps.

        The loss is convex in the leaves, and the leaf that bounds a person changes with them.
        """
        best, least = replace(tree, value=np.zeros_like(tree.value)), np.inf
        for _ in range(REFITS):
            placed = self.margins.leaves(tree)
            bound = [leaves.argmin(axis=1) for leaves in placed]
            slope, loss = -RIDGE * self.unit * tree.value, 0.0
            curvature = np.full_like(tree.value, RIDGE * self.unit)
            for leaves, at, weight, before in zip(placed, bound, weights, margins, strict=True):
                margin = before + np.take_along_axis(leaves, at[:, None], axis=1)[:, 0]
                loss += float((weight * np.logaddexp(0, -margin)).sum())
                pull = weight / (1 + np.exp(margin))
                size = len(tree.value)
                slope += np.bincount(at, self.margins.side * pull, size)
                curvature += np.bincount(at, pull / (1 + np.exp(-margin)), size)
            if loss < least:
                best, least = tree, loss
            value = np.clip(tree.value + slope / curvature, tree.low, tree.high)
            tree = replace(tree, value=value)
        return best


def _gain(sums: Numbers, value: Numbers, ridge: float) -> Numbers:
    """Return what the loss falls by, to second order, where a leaf adds a value."""
    slope, curvature = sums
    gain: Numbers = value * slope - 0.5 * (curvature + ridge) * value**2
    return gain
