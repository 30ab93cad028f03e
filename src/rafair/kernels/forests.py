"""Bounds of a sum of trees over a box of pieces.

A piece is a part of a feature's range that no test of any tree divides, numbered from the lowest
on. A box has a first and a last piece of every feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import NUMBERS, allocating, inner
from rafair.kernels.parts import Parts, Sums, begin, combined, sums_for
from rafair.kernels.ramps import FEATURE, OWNER, RAMPS, Ramps, is_split, ramp_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FOREST",
    "LEFT",
    "PIECES",
    "RIGHT",
    "TEST",
    "TESTS",
    "Forest",
    "Tests",
    "Work",
    "add_ramps",
    "bound_sum",
    "bound_tree",
    "same_tree",
    "undecided",
    "visit",
    "work_for",
]

PIECES = types.int32[::1]
# The columns of a node's links; the sides of a test are numbered alike.
TEST, LEFT, RIGHT, BOTH = 0, 1, 2, 3


class Forest(NamedTuple):
    """Trees of which every leaf adds a number to a part of the margin, and ramps that do.

    Attributes
    ----------
    links : array of int32, shape (nodes, 4)
        The test of an inner node, −1 at a leaf; the nodes where it is met, and where it is not;
        and 0, so that a node lies in one line of the cache.
    value : array of float64, shape (nodes,)
        What a leaf adds.
    roots : array of int32, shape (trees,)
    owner : array of int32, shape (trees,)
        The part that a tree is added to; see ``Parts``.
    ramps : Ramps
    """

    links: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    owner: NDArray[np.int32]
    ramps: Ramps


class Tests(NamedTuple):
    """The different tests of a model's trees.

    Attributes
    ----------
    feature : array of int32, shape (tests,)
    cut : array of int32, shape (tests,)
        The last piece that meets the test, where the pieces that do are the first ones.
    members : array of int32, shape (tests,)
        Where the test's numbers begin in ``counts``; −1 for a test with a cut.
    counts : array of int32
        For each number of pieces from 0 on, how many of the first ones meet the test.
    """

    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    members: NDArray[np.int32]
    counts: NDArray[np.int32]


class Work(NamedTuple):
    """Memory of one search.

    Attributes
    ----------
    stack : array of int32, shape (2, nodes)
        Nodes to visit, and the kid of which visited node each is: twice its place, plus the side.
    nodes : array of int32, shape (2, nodes)
        The nodes visited, in two visits.
    kids : array of int32, shape (2 · nodes,)
        Places of the two kids of a visited node; −1 at a leaf.
    most, least : array of float64, shape (nodes,)
        The largest and the smallest leaf below a visited node.
    passed : array of int32, shape (3, 2 · nodes + 1)
        The tests that bounds depended on, the side and the part of each; how many there are stands
        behind the last one.
    gained : array of float64, shape (2 · nodes,)
        What a split by each of them would gain in its part.
    gain : array of float64, shape (tests,)
    ends : array of int32, shape (4, features)
        Ends of two more boxes.
    reach : array of float64, shape (2, ramps)
        What each ramp is at least, and at most, within the Δ of the person searched.
    ramped : array of float64, shape (2, ramps)
        What a split of its feature in the middle would gain, about, for v and for a counterpart.
    halved : array of float64, shape (features,)
    sums : Sums
    """

    stack: NDArray[np.int32]
    nodes: NDArray[np.int32]
    kids: NDArray[np.int32]
    most: NDArray[np.float64]
    least: NDArray[np.float64]
    passed: NDArray[np.int32]
    gained: NDArray[np.float64]
    gain: NDArray[np.float64]
    ends: NDArray[np.int32]
    reach: NDArray[np.float64]
    ramped: NDArray[np.float64]
    halved: NDArray[np.float64]
    sums: Sums


_TABLE = types.int32[:, ::1]
FOREST = types.NamedTuple([_TABLE, NUMBERS, PIECES, PIECES, RAMPS], Forest)
TESTS = types.NamedUniTuple(PIECES, 4, Tests)


@allocating
def work_for(forest: Forest, n_tests: int, n_features: int, n_parts: int) -> Work:
    """Allocate memory for a forest or a part of it; most of it is never touched."""
    n_nodes, n_ramps = len(forest.links), len(forest.ramps.table)
    passed = np.empty((3, 2 * n_nodes + 1), np.int32)
    passed[0, -1] = 0
    return Work(
        np.empty((2, n_nodes + 2), np.int32),
        np.empty((2, n_nodes + 2), np.int32),
        np.empty(2 * n_nodes + 4, np.int32),
        np.empty(n_nodes + 2),
        np.empty(n_nodes + 2),
        passed,
        np.empty(2 * n_nodes),
        np.zeros(n_tests),
        np.empty((4, n_features), np.int32),
        np.empty((2, n_ramps)),
        np.zeros((2, n_ramps)),
        np.zeros(n_features),
        sums_for(n_parts),
    )


@inner
def _sides(tests: Tests, test: int, low: NDArray[np.int32], high: NDArray[np.int32]) -> int:
    """Return which sides of a test some piece of a box is on: LEFT, RIGHT or BOTH."""
    feature, members = tests.feature[test], tests.members[test]
    first, last = low[feature], high[feature]
    if members < 0:
        cut = tests.cut[test]
        return (LEFT if first <= cut else 0) | (RIGHT if last > cut else 0)
    inside = tests.counts[members + last + 1] - tests.counts[members + first]
    return (LEFT if inside > 0 else 0) | (RIGHT if inside < last - first + 1 else 0)


@inner
def undecided(
    forest: Forest, tests: Tests, node: int, low: NDArray[np.int32], high: NDArray[np.int32]
) -> int:
    """Go down from a node to a leaf, or to the first node with pieces on both sides."""
    while forest.links[node, TEST] >= 0:
        sides = _sides(tests, forest.links[node, TEST], low, high)
        if sides == BOTH:
            break
        node = forest.links[node, LEFT] if sides == LEFT else forest.links[node, RIGHT]
    return node


@inner
def visit(
    forest: Forest,
    tests: Tests,
    tree: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
    place: int,
) -> int:
    """List the leaves and undecided nodes of a tree that a box reaches; return their number."""
    stack, owners, nodes = work.stack[0], work.stack[1], work.nodes[place]
    stack[0], owners[0], depth, count = forest.roots[tree], -1, 1, 0
    while depth:
        depth -= 1
        owner = owners[depth]
        node = undecided(forest, tests, stack[depth], low, high)
        nodes[count] = node
        if owner >= 0:
            work.kids[owner] = count
        if forest.links[node, TEST] >= 0:
            stack[depth], owners[depth] = forest.links[node, RIGHT], 2 * count + 1
            stack[depth + 1], owners[depth + 1] = forest.links[node, LEFT], 2 * count
            depth += 2
        else:
            work.kids[2 * count] = -1
        count += 1
    return count


@inner
def bound_tree(
    forest: Forest,
    tests: Tests,
    tree: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    sign: float,
    work: Work,
    place: int,
) -> tuple[float, float, int]:
    """Return the largest and the smallest of sign · leaf in a box, and how many nodes it reaches.

    What each undecided test on the way to the largest leaf would gain is noted.
    """
    count = visit(forest, tests, tree, low, high, work, place)
    nodes, kids, most, least = work.nodes[place], work.kids, work.most, work.least
    for at in range(count - 1, -1, -1):
        left, right = kids[2 * at], kids[2 * at + 1]
        if left < 0:
            most[at] = least[at] = sign * forest.value[nodes[at]]
        else:
            most[at], least[at] = max(most[left], most[right]), min(least[left], least[right])
    at = 0
    while kids[2 * at] >= 0:
        left, right = kids[2 * at], kids[2 * at + 1]
        _note(
            work, forest.links[nodes[at], TEST], place, forest.owner[tree], most[left] - most[right]
        )
        at = left if most[left] >= most[right] else right
    return most[0], least[0], count


@inner
def bound_sum(
    forest: Forest,
    tests: Tests,
    parts: Parts,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
) -> tuple[float, float]:
    """Return bounds of the margin in a box, and note what splits would gain."""
    sums = work.sums
    begin(parts, sums)
    for tree in range(len(forest.roots)):
        top, bottom, _ = bound_tree(forest, tests, tree, low, high, 1.0, work, 0)
        sums.most[0, forest.owner[tree]] += top
        sums.least[0, forest.owner[tree]] += bottom
    add_ramps(forest.ramps, parts.sign, low, high, work, 0)
    return combined(parts, sums, 0)


@inner
def add_ramps(
    ramps: Ramps,
    sign: float,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
    place: int,
) -> None:
    """Add the bounds of sign · ramp in a box to its part, and note what splits would gain."""
    for at in range(len(ramps.table)):
        feature, owner = ramps.table[at, FEATURE], ramps.table[at, OWNER]
        first, last = low[feature], high[feature]
        least, most = ramp_ends(ramps, at, first, last, sign, work.reach)
        work.sums.least[place, owner] += least
        work.sums.most[place, owner] += most
        is_open = is_split(ramps, at, first, last)
        work.ramped[place, at] = (most - least) / 2 if is_open else 0.0


@inner
def _note(work: Work, test: int, side: int, part: int, gain: float) -> None:
    count = work.passed[0, -1]
    work.passed[0, count], work.passed[1, count], work.passed[2, count] = test, side, part
    work.gained[count] = abs(gain)
    work.passed[0, -1] = count + 1


@inner
def same_tree(
    forest: Forest,
    tests: Tests,
    n_first: int,
    n_second: int,
    is_sensitive: NDArray[np.int32],
    work: Work,
) -> bool:
    """Tell whether two visits, of v and of others, found one function of δ."""
    if n_first != n_second:
        return False
    for at in range(n_first):
        node = work.nodes[0, at]
        if node != work.nodes[1, at]:
            return False
        if forest.links[node, TEST] >= 0 and is_sensitive[tests.feature[forest.links[node, TEST]]]:
            return False
    return True
