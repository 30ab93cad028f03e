"""Gradients at everyone in I(v), for networks with two classes.

Only the sensitive features differ within I(v), and in an order in which neighbours differ in one of
them, as little as possible, most neighbours have the same pattern of active neurons. For two
classes the gradient of the log-odds depends on nothing else. So everyone goes forward, but only one
of each run of equal patterns goes back; they are collected until they fill a block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import (
    FLOATS,
    INTEGERS,
    NETWORK,
    NUMBERS,
    TABLE,
    WORDS,
    entry,
    inner,
)
from rafair.kernels.lanes import LANES
from rafair.kernels.network import Network
from rafair.kernels.passes import WORKSPACE, backward, forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rafair.kernels.passes import Pattern, Workspace

__all__ = ["Grid", "log_norms", "ordered", "runs"]

ZERO, ONE, ALL = np.uint32(0), np.uint32(1), np.uint32((1 << LANES) - 1)


class Grid(NamedTuple):
    """The combinations of I(v) in the order in which they are computed.

    Attributes
    ----------
    values : array of float32, shape (s, m + filling)
        One combination per column; the last one fills the last block.
    columns : array of int64, shape (s,)
        The sensitive columns.
    rows : array of int64, shape (m,)
        Where each combination stood before it was ordered.
    """

    values: NDArray[np.float32]
    columns: NDArray[np.int64]
    rows: NDArray[np.int64]


GRID = types.NamedTuple([TABLE, INTEGERS, INTEGERS], Grid)


def ordered(combinations: NDArray[np.float32], columns: Sequence[int]) -> Grid:
    """Order combinations, shape (m, s), as a snake: neighbours differ in one value by one level.

    The column with the most levels changes fastest.
    """
    ranks = [np.unique(column, return_inverse=True)[1] for column in combinations.T]
    path = np.zeros(len(combinations), np.int64)
    keys = []
    for rank in sorted(ranks, key=np.max):
        keys.append(np.where(path % 2, rank.max() - rank, rank))  # every other turn goes back
        path = path + keys[-1]
    rows = np.lexsort(keys[::-1])
    filled = np.pad(combinations[rows].T, [(0, 0), (0, -len(rows) % LANES)], mode="edge")
    return Grid(np.ascontiguousarray(filled), np.array(columns, np.int64), rows)


class Runs(NamedTuple):
    """What is known of one person's I(v), in the order of the grid.

    Attributes
    ----------
    log_odds : array of float32, shape (m + filling,)
        z₁ − z₀.
    run : array of int64, shape (m + filling,)
        The number of each one's run of equal patterns.
    sizes : array of float32, shape (m + filling + LANES,)
        ‖∂(z₁ − z₀)/∂x‖₁ of each run.
    patterns : array of uint32, shape (3, hidden neurons)
        Of the block, of the block before, and those that wait to go back.
    """

    log_odds: NDArray[np.float32]
    run: NDArray[np.int64]
    sizes: NDArray[np.float32]
    patterns: NDArray[np.uint32]


RUNS = types.NamedTuple([FLOATS, INTEGERS, FLOATS, WORDS], Runs)


def runs(network: Network, grid: Grid) -> Runs:
    """Allocate memory for one person."""
    m, neurons = grid.values.shape[1], int(network.neuron_starts[-2])
    sizes, patterns = np.zeros(m + LANES, np.float32), np.zeros((3, neurons), np.uint32)
    return Runs(np.zeros(m, np.float32), np.zeros(m, np.int64), sizes, patterns)


@inner
def _visit(network: Network, work: Workspace, grid: Grid, found: Runs) -> None:
    """Send everyone in I(v) forward, and one of each run of equal patterns back."""
    pattern, before, waiting = found.patterns[0], found.patterns[1], found.patterns[2]
    n_runs = 0
    for start in range(0, grid.values.shape[1], LANES):
        for place in range(len(grid.columns)):
            for lane in range(LANES):
                work.inputs[grid.columns[place], lane] = grid.values[place, start + lane]
        scores = forward(network, pattern, work)
        for lane in range(LANES):
            found.log_odds[start + lane] = scores[1, lane] - scores[0, lane]
        begins = ONE if start == 0 else ZERO
        begins |= _begins(pattern, before)
        for lane in range(LANES):
            if begins >> np.uint32(lane) & ONE:
                _append(waiting, n_runs % LANES, pattern, lane)
                n_runs += 1
                if n_runs % LANES == 0:
                    _measure(network, work, waiting, found.sizes[n_runs - LANES :])
            found.run[start + lane] = n_runs - 1
        pattern, before = before, pattern
    _measure(network, work, waiting, found.sizes[n_runs - n_runs % LANES :])


@inner
def _begins(pattern: Pattern, before: Pattern) -> np.uint32:
    """Return a word whose bit r tells whether row r begins a run: its pattern is a new one."""
    changes = ZERO
    for neuron in range(len(pattern)):
        shifted = np.uint32(pattern[neuron] << ONE) | before[neuron] >> np.uint32(LANES - 1)
        changes |= pattern[neuron] ^ shifted
    return np.uint32(changes & ALL)


@inner
def _append(waiting: Pattern, place: int, pattern: Pattern, lane: int) -> None:
    """Copy the pattern of one row to a place among those that wait."""
    for neuron in range(len(pattern)):
        waiting[neuron] |= (pattern[neuron] >> np.uint32(lane) & ONE) << np.uint32(place)


@inner
def _measure(
    network: Network, work: Workspace, waiting: Pattern, sizes: NDArray[np.float32]
) -> None:
    """Write ‖∂(z₁ − z₀)/∂x‖₁ of the patterns that wait, and remove them."""
    for lane in range(LANES):
        work.outer[0, lane], work.outer[1, lane], sizes[lane] = -1, 1, 0
    gradient = backward(network, waiting, work)
    for feature in range(network.n_features):
        for lane in range(LANES):
            sizes[lane] += abs(gradient[feature, lane])
    for neuron in range(len(waiting)):
        waiting[neuron] = 0


@inner
def _log_slope(odds_against: float, slope: NDArray[np.float64]) -> float:
    """Return log(c qᵃ pᵇ) where p = 1 − q is the probability of y, also where one underflows."""
    log_p = -(max(odds_against, 0.0) + math.log1p(math.exp(-abs(odds_against))))
    log_q = log_p + odds_against
    found: float = math.log(slope[0]) + slope[1] * log_q + slope[2] * log_p
    return found


@entry(
    *(NETWORK, WORKSPACE, GRID, RUNS, TABLE, FLOATS, NUMBERS),
    *(types.int64, types.int64, types.float64[:, ::1]),
)
def log_norms(
    network: Network,
    work: Workspace,
    grid: Grid,
    found: Runs,
    people: NDArray[np.float32],
    signs: NDArray[np.float32],
    slope: NDArray[np.float64],
    first: int,
    last: int,
    norms: NDArray[np.float64],
) -> None:
    """Write log ‖∇ₓ l(y, f(v'))‖₁ for every v' in I(v) of some people.

    Parameters
    ----------
    people : array, shape (n, d)
    signs : array, shape (n,)
        +1 where class 1 is the wrong one, −1 where class 0 is.
    slope : array, shape (3,)
        c, a and b of a loss with dl/d(log-odds against y) = c qᵃ pᵇ; see ``losses.Slope``.
    first, last : int
        The people from first to before last.
    norms : array, shape (n, m)
        The result, one column per combination in its original order.
    """
    for person in range(first, last):
        for feature in range(network.n_features):
            for lane in range(LANES):
                work.inputs[feature, lane] = people[person, feature]
        _visit(network, work, grid, found)
        for place in range(len(grid.rows)):
            odds_against = signs[person] * np.float64(found.log_odds[place])
            size = found.sizes[found.run[place]]
            log_size = math.log(np.float64(size)) if size > 0 else -np.inf
            norms[person, grid.rows[place]] = _log_slope(odds_against, slope) + log_size
