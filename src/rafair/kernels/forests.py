"""Bounds of a sum of trees over a box of pieces.

A piece is a part of a feature's range that no test of any tree divides, numbered from the lowest
on. A box has a first and a last piece of every feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import NUMBERS, allocating

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FOREST",
    "PIECES",
    "TESTS",
    "WORK",
    "Forest",
    "Tests",
    "Work",
    "best_split",
    "bound_tree",
    "restricted",
    "same_tree",
    "undecided",
    "work_for",
]

PIECES = types.int32[::1]
LEFT, RIGHT, BOTH = 1, 2, 3


class Forest(NamedTuple):
    """Trees of which every leaf adds a number to one margin.

    Attributes
    ----------
    test : array of int32, shape (nodes,)
        The test of an inner node; −1 at a leaf.
    left, right : array of int32, shape (nodes,)
        The nodes where the test is met, and where it is not.
    value : array of float64, shape (nodes,)
        What a leaf adds.
    roots : array of int32, shape (trees,)
    """

    test: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]


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
    gain : array of float64, shape (tests,)
    touched : array of int32, shape (tests + 1,)
        The tests with a gain; their number stands behind the last one.
    """

    stack: NDArray[np.int32]
    nodes: NDArray[np.int32]
    kids: NDArray[np.int32]
    most: NDArray[np.float64]
    least: NDArray[np.float64]
    gain: NDArray[np.float64]
    touched: NDArray[np.int32]


_TABLE = types.int32[:, ::1]
FOREST = types.NamedTuple([PIECES, PIECES, PIECES, NUMBERS, PIECES], Forest)
TESTS = types.NamedUniTuple(PIECES, 4, Tests)
WORK = types.NamedTuple([_TABLE, _TABLE, PIECES, NUMBERS, NUMBERS, NUMBERS, PIECES], Work)


@allocating
def work_for(n_nodes: int, n_tests: int) -> Work:
    """Allocate memory for trees of at most so many nodes."""
    return Work(
        np.zeros((2, n_nodes + 2), np.int32),
        np.zeros((2, n_nodes + 2), np.int32),
        np.full(2 * n_nodes + 4, -1, np.int32),
        np.zeros(n_nodes + 2),
        np.zeros(n_nodes + 2),
        np.zeros(n_tests),
        np.zeros(n_tests + 1, np.int32),
    )


@allocating
def _sides(tests: Tests, test: int, low: NDArray[np.int32], high: NDArray[np.int32]) -> int:
    """Return which sides of a test some piece of a box is on: LEFT, RIGHT or BOTH."""
    feature, members = tests.feature[test], tests.members[test]
    first, last = low[feature], high[feature]
    if members < 0:
        cut = tests.cut[test]
        return (LEFT if first <= cut else 0) | (RIGHT if last > cut else 0)
    inside = tests.counts[members + last + 1] - tests.counts[members + first]
    return (LEFT if inside > 0 else 0) | (RIGHT if inside < last - first + 1 else 0)


@allocating
def undecided(
    forest: Forest, tests: Tests, node: int, low: NDArray[np.int32], high: NDArray[np.int32]
) -> int:
    """Go down from a node to a leaf, or to the first node with pieces on both sides."""
    while forest.test[node] >= 0:
        sides = _sides(tests, forest.test[node], low, high)
        if sides == BOTH:
            break
        node = forest.left[node] if sides == LEFT else forest.right[node]
    return node


@allocating
def _visit(
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
        if forest.test[node] >= 0:
            stack[depth], owners[depth] = forest.right[node], 2 * count + 1
            stack[depth + 1], owners[depth + 1] = forest.left[node], 2 * count
            depth += 2
        else:
            work.kids[2 * count] = -1
        count += 1
    return count


@allocating
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

    What each undecided test on the way to the largest leaf would gain is added to ``work.gain``.
    """
    count = _visit(forest, tests, tree, low, high, work, place)
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
        _add(work, forest.test[nodes[at]], abs(most[left] - most[right]))
        at = left if most[left] >= most[right] else right
    return most[0], least[0], count


@allocating
def _add(work: Work, test: int, gain: float) -> None:
    if work.gain[test] == 0:
        work.gain[test] = 1e-30  # marks the test as touched, even where nothing is gained
        work.touched[work.touched[-1]] = test
        work.touched[-1] += 1
    work.gain[test] += gain


@allocating
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
        if forest.test[node] >= 0 and is_sensitive[tests.feature[forest.test[node]]]:
            return False
    return True


@allocating
def best_split(
    tests: Tests, low: NDArray[np.int32], high: NDArray[np.int32], work: Work
) -> tuple[int, int]:
    """Return the feature and the piece after which to split a box, and forget the gains.

    The feature is −1 if no test divides the box.
    """
    best, chosen = 0.0, -1
    for place in range(work.touched[-1]):
        test = work.touched[place]
        if work.gain[test] > best:
            best, chosen = work.gain[test], test
        work.gain[test] = 0.0
    work.touched[-1] = 0
    if chosen < 0:
        return -1, 0
    feature, members = tests.feature[chosen], tests.members[chosen]
    if members < 0:
        return feature, tests.cut[chosen]
    return feature, _change(tests.counts[members:], low[feature], high[feature])


@allocating
def _change(counts: NDArray[np.int32], first: int, last: int) -> int:
    """Return the piece after which membership changes that is nearest to the middle."""
    middle, found = (first + last) / 2, first
    for piece in range(first, last):
        differs = counts[piece + 1] - counts[piece] != counts[piece + 2] - counts[piece + 1]
        if differs and (abs(piece - middle) < abs(found - middle) or found == first):
            found = piece
    return found


@allocating
def restricted(
    forest: Forest, tests: Tests, low: NDArray[np.int32], high: NDArray[np.int32], work: Work
) -> tuple[Forest, float]:
    """Return the trees cut down to what a box reaches, and the sum of those that are one leaf."""
    total, n_trees, base = 0, 0, 0.0
    for tree in range(len(forest.roots)):
        count = _visit(forest, tests, tree, low, high, work, 0)
        if count == 1:
            base += forest.value[work.nodes[0, 0]]
        else:
            total, n_trees = total + count, n_trees + 1
    small = Forest(
        np.full(total, -1, np.int32),
        np.zeros(total, np.int32),
        np.zeros(total, np.int32),
        np.zeros(total),
        np.zeros(n_trees, np.int32),
    )
    start, place = 0, 0
    for tree in range(len(forest.roots)):
        count = _visit(forest, tests, tree, low, high, work, 0)
        if count > 1:
            _copy(forest, count, start, work, small)
            small.roots[place] = start
            start, place = start + count, place + 1
    return small, base


@allocating
def _copy(forest: Forest, count: int, start: int, work: Work, small: Forest) -> None:
    """Copy the nodes of a visit to where they belong in a smaller forest."""
    for at in range(count):
        node = work.nodes[0, at]
        small.test[start + at], small.value[start + at] = forest.test[node], forest.value[node]
        small.left[start + at] = start + work.kids[2 * at]
        small.right[start + at] = start + work.kids[2 * at + 1]
