"""Trees cut down to what a box of pieces reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rafair.kernels.compiling import allocating, inner
from rafair.kernels.forests import LEFT, RIGHT, TEST, Forest, Tests, Work, visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["empty_forest", "restricted"]


@allocating
def empty_forest(forest: Forest) -> Forest:
    """Allocate memory for a part of a forest."""
    n_nodes, n_trees = len(forest.links), len(forest.roots)
    return Forest(
        np.empty((n_nodes, 4), np.int32),
        np.empty(n_nodes),
        np.empty(n_trees, np.int32),
        np.empty(n_trees, np.int32),
        forest.ramps,
    )


@allocating
def restricted(
    forest: Forest,
    tests: Tests,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
    room: Forest,
) -> tuple[Forest, NDArray[np.float64]]:
    """Return the trees cut down to what a box reaches, and what those of one leaf add to parts.

    The trees lie in ``room``, which is as large as the forest.
    """
    total, n_trees, base = 0, 0, np.zeros(work.sums.most.shape[1])
    for tree in range(len(forest.roots)):
        count = visit(forest, tests, tree, low, high, work, 0)
        if count == 1:
            base[forest.owner[tree]] += forest.value[work.nodes[0, 0]]
        else:
            _copy(forest, count, total, work, room)
            room.roots[n_trees], room.owner[n_trees] = total, forest.owner[tree]
            total, n_trees = total + count, n_trees + 1
    small = Forest(
        room.links[:total],
        room.value[:total],
        room.roots[:n_trees],
        room.owner[:n_trees],
        room.ramps,
    )
    return small, base


@inner
def _copy(forest: Forest, count: int, start: int, work: Work, small: Forest) -> None:
    """Copy the nodes of a visit to where they belong in a smaller forest."""
    for at in range(count):
        node = work.nodes[0, at]
        small.links[start + at, TEST] = forest.links[node, TEST]
        small.links[start + at, LEFT] = start + work.kids[2 * at]
        small.links[start + at, RIGHT] = start + work.kids[2 * at + 1]
        small.value[start + at] = forest.value[node]
