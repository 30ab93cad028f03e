"""Whole walks in one kernel, for networks with two classes.

A thread leads a group of people who share I(v) through all steps. As long as they share it, it is
visited once for all of them.

Source: Li et al., arXiv:2404.01356v1, the loop of Algorithms 1 and 2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import FLOATS, INTEGERS, NETWORK, NUMBERS, entry, inner
from rafair.kernels.counterparts import GRID, RUNS, place_of, visit, visit_two
from rafair.kernels.lanes import LANES
from rafair.kernels.network import Network
from rafair.kernels.passes import WORKSPACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.counterparts import Grid, Runs
    from rafair.kernels.network import Numbers
    from rafair.kernels.passes import Workspace

    Flags = NDArray[np.bool_]

__all__ = ["Path", "Rules", "Seeds", "walk_groups"]

# Replaces log 0 where a gradient is exactly zero; see ``rafair.problem.walking``.
ZERO_GRADIENT = -1e300
LOG_2 = math.log(2)
# a and b of tangents a − b z of log(1 + exp −z), at a few z.
TANGENTS = tuple(
    (math.log1p(math.exp(-z)) + z / (1 + math.exp(z)), 1 / (1 + math.exp(z)))
    for z in (0.0, 0.7, 1.4, 2.2, 3.2, 4.7)
)
# For the rounding of a bound.
SLACK = 1e-9


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


@inner
def _iterate(
    network: Network,
    work: Workspace,
    grid: Grid,
    found: Runs,
    seeds: Seeds,
    rules: Rules,
    step: int,
    person: int,
    path: Path,
) -> None:
    """Algorithm 1, lines 4 to 17, for one person."""
    x, there = path.points[step, person], path.points[step + 1, person]
    place, own = path.places[step, person], -1
    if rules.chooses[step]:
        place = _similar_counterpart(
            grid, found, seeds.signs[person], rules.slope, seeds.excluded[person]
        )
        own = place_of(grid, x)
    other = own if place < 0 else place
    if own < 0:
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


@inner
def _similar_counterpart(
    grid: Grid, found: Runs, sign: np.float32, slope: Numbers, excluded: Flags
) -> int:
    """Line 4: return the place of the counterpart with the largest gradient, −1 if there is none.

    On a tie it is the one that comes first in I(v). Upper bounds, which need no logarithm, leave
    only a few places.
    """
    chosen, largest, bounds = -1, -np.inf, found.bounds
    for place in range(len(grid.rows)):
        bounds[place] = -np.inf if excluded[place] else _most(found, place, sign, slope)
        if bounds[place] > largest:
            chosen, largest = place, bounds[place]
    if chosen >= 0:
        largest = _log_norm(found, chosen, sign, slope)
    for place in range(len(grid.rows)):
        if bounds[place] < largest or bounds[place] == -np.inf:
            continue
        norm = _log_norm(found, place, sign, slope)
        is_earlier = norm == largest and grid.rows[place] < grid.rows[chosen]
        if norm > largest or is_earlier:
            chosen, largest = place, norm
    return chosen


@inner
def _odds_against(found: Runs, place: int, sign: np.float32) -> float:
    """Return the log-odds against the label."""
    odds: float = np.float64(sign * (found.scores[1, place] - found.scores[0, place]))
    return odds


@inner
def _log_norm(found: Runs, place: int, sign: np.float32, slope: Numbers) -> float:
    """Return log ‖∇ₓ l(y, f(v'))‖₁.

    The slope is c qᵃ pᵇ with the probability of y, p = 1 − q, also where one of them underflows.
    """
    odds = _odds_against(found, place, sign)
    log_p = -(max(odds, 0.0) + math.log1p(math.exp(-abs(odds))))
    log_slope = slope[0] + slope[1] * (log_p + odds) + slope[2] * log_p
    norm: float = max(log_slope + found.log_sizes[found.run[place]], ZERO_GRADIENT)
    return norm


@inner
def _most(found: Runs, place: int, sign: np.float32, slope: Numbers) -> float:
    """Return an upper bound of ``_log_norm``.

    log(1 + exp −z), of z ≥ 0, lies below log 2 and above its tangents.
    """
    odds = _odds_against(found, place, sign)
    size, powers, least = abs(odds), slope[1] + slope[2], 0.0
    for constant, decline in TANGENTS:
        least = max(least, constant - decline * size)
    if powers < 0:
        least = LOG_2
    most = slope[0] - slope[1] * max(-odds, 0.0) - slope[2] * max(odds, 0.0)
    most += found.log_sizes[found.run[place]] - powers * least + SLACK
    bound: float = max(most, ZERO_GRADIENT)
    return bound


@inner
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
    for group in range(first, last):
        start, stop = seeds.groups[group], seeds.groups[group + 1]
        for step in range(begin, end):
            for person in range(start, stop):
                if path.taken[person] > step:  # beside a mate
                    continue
                if path.stays[person]:
                    _stay(step, person, path)
                else:
                    x = path.points[step, person]
                    if rules.chooses[step]:
                        visit(network, work, grid, x, found)
                    for mate in range(person, stop):
                        is_next = path.taken[mate] == step and not path.stays[mate]
                        if is_next and _are_alike(x, path.points[step, mate], rules):
                            _iterate(network, work, grid, found, seeds, rules, step, mate, path)
