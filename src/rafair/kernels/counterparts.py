"""Scores and gradients at everyone in I(v), for networks with two classes.

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

from rafair.kernels.compiling import FLOATS, INTEGERS, NUMBERS, TABLE, WORDS, inner
from rafair.kernels.lanes import LANES
from rafair.kernels.passes import backward, forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rafair.kernels.network import Network, Numbers
    from rafair.kernels.passes import Block, Pattern, Workspace

__all__ = ["Grid", "Runs", "ordered", "place_of", "runs", "visit", "visit_two"]

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
    """What is known of one person's I(v), at the places of the grid; two people may follow it.

    Attributes
    ----------
    scores : array of float32, shape (2, m + filling + LANES)
        z₀ and z₁.
    run : array of int64, shape (m + filling + LANES,)
        The number of each one's run of equal patterns.
    gradients : array of float32, shape (blocks of runs, width, LANES)
        ∂(z₁ − z₀)/∂x of each run; run r is in lane r % LANES of block r // LANES.
    sizes, log_sizes : array of float32, array, shape (m + filling + LANES,)
        ‖∂(z₁ − z₀)/∂x‖₁ of each run, and its logarithm.
    bounds : array, shape (m + filling + LANES,)
        Upper bounds of what is sought among the counterparts.
    patterns : array of uint32, shape (3, hidden neurons)
        Of the block, of the block before, and those that wait to go back.
    """

    scores: NDArray[np.float32]
    run: NDArray[np.int64]
    gradients: NDArray[np.float32]
    sizes: NDArray[np.float32]
    log_sizes: Numbers
    bounds: Numbers
    patterns: NDArray[np.uint32]


RUNS = types.NamedTuple(
    [TABLE, INTEGERS, types.float32[:, :, ::1], FLOATS, NUMBERS, NUMBERS, WORDS], Runs
)


def runs(network: Network, grid: Grid) -> Runs:
    """Allocate memory for one person."""
    places, neurons = grid.values.shape[1] + LANES, int(network.neuron_starts[-2])
    return Runs(
        np.zeros((2, places), np.float32),
        np.zeros(places, np.int64),
        np.zeros((places // LANES, int(network.widths[0]), LANES), np.float32),
        np.zeros(places, np.float32),
        np.zeros(places),
        np.zeros(places),
        np.zeros((3, neurons), np.uint32),
    )


@inner
def visit(network: Network, work: Workspace, grid: Grid, x: Numbers, found: Runs) -> None:
    """Send everyone in I(v), for v = x, forward, and one of each run of equal patterns back."""
    pattern, before, waiting = found.patterns[0], found.patterns[1], found.patterns[2]
    _enter(x, work)
    n_runs = 0
    for start in range(0, grid.values.shape[1], LANES):
        for place in range(len(grid.columns)):
            for lane in range(LANES):
                work.inputs[grid.columns[place], lane] = grid.values[place, start + lane]
        _keep(work.blocks[forward(network, pattern, work)], start, found)
        begins = ONE if start == 0 else ZERO
        begins |= _begins(pattern, before)
        for lane in range(LANES):
            if begins >> np.uint32(lane) & ONE:
                _append(waiting, n_runs % LANES, pattern, lane)
                n_runs += 1
                if n_runs % LANES == 0:
                    _measure(network, work, waiting, n_runs // LANES - 1, found)
            found.run[start + lane] = n_runs - 1
        pattern, before = before, pattern
    if n_runs % LANES:
        _measure(network, work, waiting, n_runs // LANES, found)


@inner
def visit_two(
    network: Network, work: Workspace, grid: Grid, x: Numbers, place: int, found: Runs
) -> tuple[int, int]:
    """Visit v = x and the counterpart at a place, −1 for v; return the places where they follow."""
    pattern = found.patterns[0]
    _enter(x, work)
    if place >= 0:
        for number in range(len(grid.columns)):
            work.inputs[grid.columns[number], 1] = grid.values[number, place]
    start = grid.values.shape[1]
    _keep(work.blocks[forward(network, pattern, work)], start, found)
    block = start // LANES
    _measure(network, work, pattern, block, found)
    for lane in range(2):
        found.run[start + lane] = block * LANES + lane
    return start, start + 1


@inner
def place_of(grid: Grid, x: Numbers) -> int:
    """Return the place of v = x in the grid; −1 if the grid lacks its sensitive values."""
    for place in range(len(grid.rows)):
        same = True
        for number in range(len(grid.columns)):
            same &= grid.values[number, place] == np.float32(x[grid.columns[number]])
        if same:
            return place
    return -1


@inner
def _enter(x: Numbers, work: Workspace) -> None:
    """Write a person to all rows that go forward."""
    for feature in range(len(x)):
        for lane in range(LANES):
            work.inputs[feature, lane] = x[feature]


@inner
def _keep(scores: Block, start: int, found: Runs) -> None:
    """Write the scores of a block to the places from ``start`` on."""
    for label in range(2):
        for lane in range(LANES):
            found.scores[label, start + lane] = scores[label, lane]


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
def _measure(network: Network, work: Workspace, waiting: Pattern, block: int, found: Runs) -> None:
    """Write ∂(z₁ − z₀)/∂x of the patterns that wait, and its norms, and remove the patterns."""
    gradient = found.gradients[block]
    sizes, log_sizes = found.sizes[block * LANES :], found.log_sizes[block * LANES :]
    for lane in range(LANES):
        work.outer[0, lane], work.outer[1, lane], sizes[lane] = -1, 1, 0
    backward(network, waiting, work, gradient)
    for feature in range(network.n_features):
        for lane in range(LANES):
            sizes[lane] += abs(gradient[feature, lane])
    for lane in range(LANES):
        log_sizes[lane] = math.log(np.float64(sizes[lane])) if sizes[lane] > 0 else -np.inf
    for neuron in range(len(waiting)):
        waiting[neuron] = 0
