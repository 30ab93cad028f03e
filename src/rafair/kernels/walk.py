"""Whole walks in one kernel, for networks with two classes.

A thread leads some groups of people through all steps. Those of a group share I(v) at first; as
long as they share it, it is visited once for all of them.

Source: Li et al., arXiv:2404.01356v1, the loop of Algorithms 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import FLOATS, INTEGERS, NETWORK, NUMBERS, entry, inner, written_out
from rafair.kernels.counterparts import GRID, RUNS, place_of, visit, visit_two
from rafair.kernels.lanes import LANES
from rafair.kernels.network import Network
from rafair.kernels.passes import WORKSPACE
from rafair.kernels.similar import similar_counterpart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.counterparts import Grid, Runs
    from rafair.kernels.network import Numbers
    from rafair.kernels.passes import Workspace

    Flags = NDArray[np.bool_]

__all__ = ["Path", "Rules", "Seeds", "walk_groups"]


class Seeds(NamedTuple):
    """The seeds, group by group; those of one group agree in label and non-sensitive features.

    Attributes
    ----------
    groups : array of int64, shape (groups + 1,)
        Where each group begins.
    signs : array of float32, shape (n,)
        +1 where class 1 is the wrong one, −1 where class 0 is.
    low, high : array, shape (n, d)
        The corners of Δ.
    excluded : array of bool, shape (n, m)
        The places in the grid that hold no counterpart of v, but v itself or nobody.
    """

    groups: NDArray[np.int64]
    signs: NDArray[np.float32]
    low: Numbers
    high: Numbers
    excluded: Flags


class Rules(NamedTuple):
    """How to walk.

    Attributes
    ----------
    directions : array, shape (3, 3)
        The direction for each pair of signs of gᵢ and g'ᵢ, −1, 0 and 1.
    step_size : array, shape (d,)
    movable, sensitive : array of bool, shape (d,)
    slope : array, shape (3,)
        log c, a and b of a loss with dl/d(log-odds against y) = c qᵃ pᵇ; see ``losses.Slope``.
    chooses : array of bool, shape (steps,)
        In which steps v' is chosen anew.
    is_single : bool
        Whether points are in single precision.
    """

    directions: Numbers
    step_size: Numbers
    movable: Flags
    sensitive: Flags
    slope: Numbers
    chooses: Flags
    is_single: bool


class Path(NamedTuple):
    """Where the walks led; the first points and places are given.

    Attributes
    ----------
    points : array, shape (steps + 1, n, d)
        NaN after a gradient that is not finite.
    places : array of int64, shape (steps + 1, n)
        Of v' in the grid in each step, after one for the start; −1 if I(v) holds only v.
    scores : array of float32, shape (steps, n, 2, 2)
        Of v and of v' before each step.
    still : array of bool, shape (steps, n)
        Whether the direction was 0 in every feature.
    taken : array of int64, shape (n,)
        Steps taken, the last of which left the seed in place if it ``stays``.
    stays : array of bool, shape (n,)
    """

    points: Numbers
    places: NDArray[np.int64]
    scores: NDArray[np.float32]
    still: Flags
    taken: NDArray[np.int64]
    stays: Flags


TABLE, FLAGS, FLAG_TABLE = types.float64[:, ::1], types.boolean[::1], types.boolean[:, ::1]
SEEDS = types.NamedTuple([INTEGERS, FLOATS, TABLE, TABLE, FLAG_TABLE], Seeds)
RULES = types.NamedTuple(
    [TABLE, NUMBERS, FLAGS, FLAGS, NUMBERS, FLAGS, types.boolean],
    Rules,
)
PATH = types.NamedTuple(
    [
        *[types.float64[:, :, ::1], types.int64[:, ::1], types.float32[:, :, :, ::1]],
        *[FLAG_TABLE, INTEGERS, FLAGS],
    ],
    Path,
)


@inner
def _are_alike(one: Numbers, other: Numbers, rules: Rules) -> bool:
    """Tell whether two people have the same I(v), for a network in single precision."""
    alike = True
    for feature in range(len(one)):
        differ = np.float32(one[feature]) != np.float32(other[feature])
        alike &= rules.sensitive[feature] or not differ
    return alike


@inner
def _stay(step: int, person: int, path: Path) -> None:
    """Repeat the step that left a seed in place, since a step depends on the point only."""
    for feature in range(path.points.shape[2]):
        path.points[step + 1, person, feature] = path.points[step, person, feature]
    path.places[step + 1, person] = path.places[step, person]
    for who in range(2):
        for label in range(2):
            path.scores[step, person, who, label] = path.scores[step - 1, person, who, label]
    path.still[step, person] = path.still[step - 1, person]


@written_out
def _iterate(
    network: Network,
    work: Workspace,
    grid: Grid,
    found: Runs,
    seeds: Seeds,
    rules: Rules,
    step: int,
    person: int,
    first: int,
    path: Path,
) -> None:
    """Algorithm 1, lines 4 to 17, for one person, whose I(v) begins at the row ``first``."""
    x, there = path.points[step, person], path.points[step + 1, person]
    place, own = path.places[step, person], -1
    if rules.chooses[step]:
        place = similar_counterpart(
            grid, found, first, seeds.signs[person], rules.slope, seeds.excluded[person]
        )
        own = place_of(grid, x)
    if own >= 0:
        other = first + (own if place < 0 else place)
        own += first
    else:
        own, other = visit_two(network, work, grid, x, place, found)
    for label in range(2):
        path.scores[step, person, 0, label] = found.scores[label, own]
        path.scores[step, person, 1, label] = found.scores[label, other]
    path.places[step + 1, person] = place
    low, high = seeds.low[person], seeds.high[person]
    still = _move(x, found, own, other, seeds.signs[person], rules, low, high, there)
    path.still[step, person] = still
    moved = False
    for feature in range(len(x)):
        moved |= there[feature] != x[feature]
    path.taken[person] = step + 1
    path.stays[person] = not moved


@written_out
def _move(
    x: Numbers,
    found: Runs,
    own: int,
    other: int,
    sign: np.float32,
    rules: Rules,
    low: Numbers,
    high: Numbers,
    there: Numbers,
) -> bool:
    """Lines 5 to 16: make a step, and tell whether the direction was 0 in every feature."""
    still = True
    own_run, other_run = found.run[own], found.run[other]
    for feature in range(len(x)):
        g = sign * found.gradients[own_run // LANES, feature, own_run % LANES]
        h = sign * found.gradients[other_run // LANES, feature, other_run % LANES]
        direction = 0.0
        if rules.movable[feature]:
            direction = rules.directions[1 + _sign(g), 1 + _sign(h)]
        still &= direction == 0.0
        moved = x[feature] + rules.step_size[feature] * direction
        moved = min(max(moved, low[feature]), high[feature])
        if rules.is_single:
            moved = np.float64(np.float32(moved))
        there[feature] = moved if np.isfinite(g) and np.isfinite(h) else np.nan
    return still


@inner
def _sign(number: float) -> int:
    return int(number > 0) - int(number < 0)


@inner
def _is_expected(n: int, step: int, person: int, found: Runs, rules: Rules, path: Path) -> bool:
    """Tell whether a person will step beside one of the n people to be visited."""
    x, expected = path.points[step, person], False
    for number in range(n):
        mate = found.visited[0, number]
        if person < found.visited[1, number]:
            expected |= _are_alike(path.points[step, mate], x, rules)
    return expected


@written_out
def _step_all(
    network: Network,
    work: Workspace,
    grid: Grid,
    found: Runs,
    seeds: Seeds,
    rules: Rules,
    step: int,
    n: int,
    path: Path,
) -> None:
    """Visit n people, and step with everyone in their groups who has the same I(v)."""
    if rules.chooses[step]:
        visit(network, work, grid, path.points[step], n, found)
    for number in range(n):
        leader, stop = found.visited[0, number], found.visited[1, number]
        x, first = path.points[step, leader], number * len(grid.rows)
        for mate in range(leader, stop):
            is_next = path.taken[mate] == step and not path.stays[mate]
            if is_next and _are_alike(x, path.points[step, mate], rules):
                _iterate(network, work, grid, found, seeds, rules, step, mate, first, path)


@entry(NETWORK, WORKSPACE, GRID, RUNS, SEEDS, RULES, *[types.int64] * 4, PATH)
def walk_groups(
    network: Network,
    work: Workspace,
    grid: Grid,
    found: Runs,
    seeds: Seeds,
    rules: Rules,
    begin: int,
    end: int,
    first: int,
    last: int,
    path: Path,
) -> None:
    """Lead the groups from ``first`` to before ``last`` from step ``begin`` to before ``end``."""
    for step in range(begin, end):
        group, person = first, seeds.groups[first]
        while person < seeds.groups[last]:
            n = 0
            while person < seeds.groups[last] and n < found.visited.shape[1]:
                if person == seeds.groups[group + 1]:
                    group += 1
                if path.taken[person] > step:  # beside a mate
                    pass
                elif path.stays[person]:
                    _stay(step, person, path)
                elif not _is_expected(n, step, person, found, rules, path):
                    found.visited[0, n], found.visited[1, n] = person, seeds.groups[group + 1]
                    n += 1
                person += 1
            _step_all(network, work, grid, found, seeds, rules, step, n, path)
