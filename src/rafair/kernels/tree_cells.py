"""Search for a δ at which everybody in I(v) is decided alike, for sums of trees."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from rafair.kernels.compiling import allocating, entry, inner
from rafair.kernels.forests import (
    FOREST,
    TESTS,
    Forest,
    Tests,
    Work,
    add_ramps,
    bound_sum,
    undecided,
    work_for,
)
from rafair.kernels.parts import Parts, begin, combined
from rafair.kernels.restriction import empty_forest, restricted
from rafair.kernels.splits import best_split
from rafair.kernels.tree_problem import (
    FOUND,
    GOAL,
    PEOPLE,
    Found,
    Goal,
    People,
    Queue,
    moved,
    queue_for,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["search_alike"]


@inner
def _place(
    people: People, person: int, row: int, low: NDArray[np.int32], high: NDArray[np.int32]
) -> None:
    """Give a box the sensitive values of one combination; the last stands for v's own."""
    for place in range(len(people.columns)):
        column = people.columns[place]
        own = people.own[person, column]
        piece = people.grid[row, place] if row < len(people.grid) else own
        low[column] = high[column] = piece


@inner
def _margin(
    forest: Forest, tests: Tests, parts: Parts, point: NDArray[np.int32], work: Work
) -> tuple[float, float]:
    """Return bounds of the margin at a point, which only rounding tells apart."""
    sums = work.sums
    begin(parts, sums)
    for tree in range(len(forest.roots)):
        leaf = forest.value[undecided(forest, tests, forest.roots[tree], point, point)]
        sums.most[0, forest.owner[tree]] += leaf
        sums.least[0, forest.owner[tree]] += leaf
    add_ramps(forest.ramps, parts.sign, point, point, work, 0)
    return combined(parts, sums, 0)


@inner
def _worst(
    forest: Forest,
    tests: Tests,
    people: People,
    person: int,
    parts: Parts,
    point: NDArray[np.int32],
    work: Work,
) -> tuple[int, float, float]:
    """Return who in I(v) has the smallest margin at a point, and its bounds."""
    worst, most, least = -1, np.inf, np.inf
    for row in range(len(people.grid) + 1):
        if people.exists[person, row]:
            _place(people, person, row, point, point)
            margin = _margin(forest, tests, parts, point, work)
            if margin[1] < least:
                worst, most, least = row, margin[0], margin[1]
    return worst, most, least


@inner
def _any_split(
    forest: Forest,
    tests: Tests,
    people: People,
    person: int,
    parts: Parts,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
) -> tuple[int, int]:
    """Return a split of a box that matters to somebody; feature −1 if there is none."""
    for row in range(len(people.grid) + 1):
        if people.exists[person, row]:
            _place(people, person, row, low, high)
            bound_sum(forest, tests, parts, low, high, work)
            feature, after = best_split(forest, tests, low, high, work)
            if feature >= 0:
                return feature, after
    return -1, 0


@inner
def _enter(
    forest: Forest,
    tests: Tests,
    people: People,
    goal: Goal,
    person: int,
    queue: Queue,
    at: int,
    work: Work,
    found: Found,
) -> float:
    """Look for a witness in the middle of a box, and bound whoever is worst there."""
    low, high = queue.low[at], queue.high[at]
    point = work.ends[0]
    for each in range(len(point)):
        point[each] = min(max(people.own[person, each], low[each]), high[each])
    worst, largest, smallest = _worst(forest, tests, people, person, goal.parts, point, work)
    is_certain = smallest > goal.certain[0]
    if largest > goal.impossible[0] and found.n_boxes[person] < found.low.shape[1]:
        count = found.n_boxes[person]
        for each in range(len(point)):
            found.low[person, count, each] = found.high[person, count, each] = point[each]
        found.is_certain[person, count] = is_certain
        found.n_boxes[person] += 1
    _place(people, person, worst, low, high)
    most, _ = bound_sum(forest, tests, goal.parts, low, high, work)
    feature, after = best_split(forest, tests, low, high, work)
    if most <= goal.impossible[0] or is_certain:
        return 0.0
    if feature < 0:
        feature, after = _any_split(forest, tests, people, person, goal.parts, low, high, work)
    if feature < 0:
        return 0.0
    queue.feature[at], queue.after[at] = feature, after
    promise: float = most - goal.impossible[0]
    return promise


@inner
def _is_done(found: Found, person: int) -> bool:
    count = int(found.n_boxes[person])
    full = count == found.low.shape[1]
    return full or (count > 0 and bool(found.is_certain[person, count - 1]))


@allocating
def _search_one(
    forest: Forest,
    tests: Tests,
    people: People,
    goal: Goal,
    person: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
    found: Found,
) -> None:
    """Split the box in which most is possible."""
    budget = found.nodes[person]
    queue = queue_for(budget, len(low))
    heap = [(0.0, 0)]
    heap.pop()
    queue.low[0], queue.high[0] = low, high
    promise = _enter(forest, tests, people, goal, person, queue, 0, work, found)
    nodes = 1
    if promise > 0:
        heapq.heappush(heap, (-promise, 0))
    while len(heap) and nodes + 2 <= budget and not _is_done(found, person):
        here = heapq.heappop(heap)[1]
        feature, after = queue.feature[here], queue.after[here]
        for side in range(2):
            at = nodes + side
            queue.low[at], queue.high[at] = queue.low[here], queue.high[here]
            if side == 0:
                queue.high[at, feature] = after
            else:
                queue.low[at, feature] = after + 1
            promise = _enter(forest, tests, people, goal, person, queue, at, work, found)
            if promise > 0:
                heapq.heappush(heap, (-promise, at))
        nodes += 2
    found.is_exhausted[person] = len(heap) == 0 and not _is_done(found, person)
    found.nodes[person] = nodes


@entry(FOREST, TESTS, PEOPLE, GOAL, types.int64, types.int64, FOUND, allocates=True)
def search_alike(
    forest: Forest,
    tests: Tests,
    people: People,
    goal: Goal,
    first: int,
    last: int,
    found: Found,
) -> None:
    """Search, for the people from first to before last, a δ at which all margins are positive."""
    work = work_for(forest, len(tests.feature), people.low.shape[1], len(goal.parts.parent))
    room = empty_forest(forest)
    for person in range(first, last):
        work.reach[:] = people.reach[person]
        low, high = people.low[person].copy(), people.high[person].copy()
        small, base = restricted(forest, tests, low, high, work, room)
        _search_one(small, tests, people, moved(goal, base), person, low, high, work, found)
