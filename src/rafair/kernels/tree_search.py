"""Best first search over boxes of δ and of sensitive values, for sums of trees."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from rafair.kernels.compiling import allocating, entry, inner, written_out
from rafair.kernels.forests import (
    FOREST,
    TESTS,
    Forest,
    Tests,
    Work,
    add_ramps,
    bound_sum,
    bound_tree,
    same_tree,
    work_for,
)
from rafair.kernels.parts import Parts, begin, combined, furthest_apart
from rafair.kernels.ramps import FEATURE, IS_SPREAD, OWNER, Ramps, ramp_ends
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

__all__ = ["search"]


@inner
def _tightened(
    people: People,
    person: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    ends: NDArray[np.int32],
) -> bool:
    """Shrink a box to the combinations in it; tell whether there are any."""
    columns, m = people.columns, len(people.grid)
    least, greatest = ends[0], ends[1]
    for column in columns:
        least[column], greatest[column] = high[column], low[column]
    is_empty = True
    for row in range(m + 1):
        if not people.exists[person, row]:
            continue
        inside = True
        for place in range(len(columns)):
            piece = people.grid[row, place] if row < m else people.own[person, columns[place]]
            inside &= low[columns[place]] <= piece <= high[columns[place]]
        if inside:
            is_empty = False
            for place in range(len(columns)):
                column = columns[place]
                piece = people.grid[row, place] if row < m else people.own[person, column]
                least[column] = min(least[column], piece)
                greatest[column] = max(greatest[column], piece)
    if not is_empty:
        for column in columns:
            low[column], high[column] = least[column], greatest[column]
    return not is_empty


@inner
def _bounds(
    forest: Forest,
    tests: Tests,
    people: People,
    goal: Goal,
    person: int,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
) -> tuple[float, bool]:
    """Return how far a box may be beyond what is impossible, and whether all of it is certain."""
    sums, parts = work.sums, goal.parts
    if not goal.is_pair:
        most, least = bound_sum(forest, tests, parts, low, high, work)
        return most - goal.impossible[0], least > goal.certain[0]
    own_low, own_high = work.ends[2], work.ends[3]
    for feature in range(len(low)):
        own_low[feature], own_high[feature] = low[feature], high[feature]
    for column in people.columns:
        own_low[column] = own_high[column] = people.own[person, column]
    begin(parts, sums)
    for tree in range(len(forest.roots)):
        owner = forest.owner[tree]
        top, bottom, n_own = bound_tree(forest, tests, tree, own_low, own_high, 1.0, work, 0)
        other = bound_tree(forest, tests, tree, low, high, -1.0, work, 1)
        sums.most[0, owner] += top
        sums.least[0, owner] += bottom
        sums.most[1, owner] += other[0]
        sums.least[1, owner] += other[1]
        if not same_tree(forest, tests, n_own, other[2], people.is_sensitive, work):
            sums.apart[owner] += top + other[0]
            sums.differ[owner] = True
    add_ramps(forest.ramps, parts.sign, own_low, own_high, work, 0)
    add_ramps(forest.ramps, -parts.sign, low, high, work, 1)
    _ramps_apart(forest.ramps, people, goal.parts, own_low, low, high, work)
    most, least = combined(parts, sums, 0)
    other_most, other_least = combined(parts, sums, 1)
    apart = furthest_apart(parts, sums)
    if not sums.differ[-1]:  # v and the counterpart have the same score
        return 0.0, False
    beyond = min(most - goal.impossible[0], other_most - goal.impossible[1])
    beyond = min(beyond, apart - goal.impossible[0] - goal.impossible[1])
    return beyond, least > goal.certain[0] and other_least > goal.certain[1]


@written_out
def _ramps_apart(
    ramps: Ramps,
    people: People,
    parts: Parts,
    own: NDArray[np.int32],
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
) -> None:
    """Add how far the ramps of sensitive features set v and a counterpart apart."""
    for at in range(len(ramps.table)):
        feature, owner = ramps.table[at, FEATURE], ramps.table[at, OWNER]
        here, first, last = own[feature], low[feature], high[feature]
        is_same = here == first == last and not ramps.table[at, IS_SPREAD]
        if people.is_sensitive[feature] and not is_same:
            mine = ramp_ends(ramps, at, here, here, parts.sign, work.reach)
            other = ramp_ends(ramps, at, first, last, -parts.sign, work.reach)
            work.sums.apart[owner] += mine[1] + other[1]
            work.sums.differ[owner] = True


@inner
def _unrefined(people: People, low: NDArray[np.int32], high: NDArray[np.int32]) -> int:
    """Return a feature that a result must have one piece of and that has several; −1 if none."""
    for feature in people.refined:
        if low[feature] < high[feature]:
            return int(feature)
    return -1


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
    """Split boxes, one branch at a time to its end, then the most promising box that is left."""
    budget = found.nodes[person]
    queue = queue_for(budget, len(low))
    heap = [(0.0, -1)]
    heap.pop()
    queue.low[0], queue.high[0] = low, high
    promise = _enter(forest, tests, people, goal, person, queue, 0, work, found)
    nodes, here = 1, 0 if promise > 0 else -1
    while here >= 0 and not found.is_exhausted[person]:
        if nodes + 2 > budget:
            break
        feature, after = queue.feature[here], queue.after[here]
        for side in range(2):
            queue.low[nodes + side], queue.high[nodes + side] = queue.low[here], queue.high[here]
        queue.high[nodes, feature], queue.low[nodes + 1, feature] = after, after + 1
        one = _enter(forest, tests, people, goal, person, queue, nodes, work, found)
        two = _enter(forest, tests, people, goal, person, queue, nodes + 1, work, found)
        best = nodes if one >= two else nodes + 1
        if min(one, two) > 0:
            heapq.heappush(heap, (-min(one, two), 2 * nodes + 1 - best))
        nodes += 2
        if max(one, two) > 0:
            here = best
        elif len(heap):
            here = heapq.heappop(heap)[1]
        else:
            here = -1
        if _is_full(people, found, person):
            break
    found.is_exhausted[person] = here < 0
    found.nodes[person] = nodes


@inner
def _is_full(people: People, found: Found, person: int) -> bool:
    """Tell whether the search has listed enough: a certain box, or as many as there is room for."""
    count = int(found.n_boxes[person])
    if count == found.low.shape[1]:
        return True
    is_last = count > 0 and len(people.refined) == 0
    return is_last and bool(found.is_certain[person, count - 1])


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
    """Bound a box and choose its split; return how promising it is, 0 if nothing is left to do."""
    low, high = queue.low[at], queue.high[at]
    if not _tightened(people, person, low, high, work.ends):
        return 0.0
    promise, is_certain = _bounds(forest, tests, people, goal, person, low, high, work)
    feature, after = best_split(forest, tests, low, high, work)
    if promise <= 0:
        return 0.0
    if is_certain or feature < 0:
        feature = _unrefined(people, low, high)
        after = (low[feature] + high[feature]) // 2
    if feature < 0:
        count = found.n_boxes[person]
        if count < found.low.shape[1]:
            for each in range(len(low)):
                found.low[person, count, each] = low[each]
                found.high[person, count, each] = high[each]
            found.is_certain[person, count] = is_certain
            found.n_boxes[person] += 1
        return 0.0
    queue.feature[at], queue.after[at] = feature, after
    return promise


@entry(FOREST, TESTS, PEOPLE, GOAL, types.int64, types.int64, FOUND, allocates=True)
def search(
    forest: Forest,
    tests: Tests,
    people: People,
    goal: Goal,
    first: int,
    last: int,
    found: Found,
) -> None:
    """Search the boxes of the people from first to before last; see ``Found``."""
    work = work_for(forest, len(tests.feature), people.low.shape[1], len(goal.parts.parent))
    room = empty_forest(forest)
    for person in range(first, last):
        work.reach[:] = people.reach[person]
        low, high = people.low[person].copy(), people.high[person].copy()
        wide_low, wide_high = low.copy(), high.copy()
        if not _tightened(people, person, low, high, work.ends):
            found.is_exhausted[person], found.nodes[person] = True, 0
            continue
        for column in people.columns:  # a pair reads v's own values, too
            own = people.own[person, column]
            wide_low[column] = min(low[column], own)
            wide_high[column] = max(high[column], own)
        small, base = restricted(forest, tests, wide_low, wide_high, work, room)
        _search_one(small, tests, people, moved(goal, base), person, low, high, work, found)
