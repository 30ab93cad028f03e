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

from rafair.kernels.compiling import FLOATS, INTEGERS, NUMBERS, TABLE, WORDS, inner, written_out
from rafair.kernels.lanes import LANES
from rafair.kernels.passes import backward, forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rafair.kernels.network import Network, Numbers
    from rafair.kernels.passes import Block, Pattern, Workspace

__all__ = ["Grid", "Runs", "ordered", "place_of", "runs", "visit", "visit_two"]

# Rows that are visited at once: so many that few lanes of the last block stay empty.
ROWS = 1024

ZERO, ONE, ALL = np.uint32(0), np.uint32(1), np.uint32((1 << LANES) - 1)


class Grid(NamedTuple):
    """The combinations of I(v) in the order in which they are computed.

    Attributes
    ----------
    values : array of float32, shape (s, m)
        One combination per column.
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
    return Grid(np.ascontiguousarray(combinations[rows].T), np.array(columns, np.int64), rows)


class Runs(NamedTuple):
    """What is known of I(v) of the people visited, row after row; two people may follow.

    Person number i has the rows from i · m on, in the order of the grid.

    Attributes
    ----------
    visited : array of int64, shape (2, people)
        Who is visited, and who is the first that does not belong to their group.
    scores : array of float32, shape (2, rows)
        z₀ and z₁.
    run : array of int64, shape (rows,)
        The number of each one's run of equal patterns.
    gradients : array of float32, shape (blocks of runs, width, LANES)
        ∂(z₁ − z₀)/∂x of each run; run r is in lane r % LANES of block r // LANES.
    sizes, log_sizes : array of float32, array, shape (rows,)
        ‖∂(z₁ − z₀)/∂x‖₁ of each run, and its logarithm.
    bounds : array, shape (m,)
        Upper bounds of what is sought among one person's counterparts.
    patterns : array of uint32, shape (3, hidden neurons)
        Of the block, of the block before, and those that wait to go back.
    """

    visited: NDArray[np.int64]
    scores: NDArray[np.float32]
    run: NDArray[np.int64]
    gradients: NDArray[np.float32]
    sizes: NDArray[np.float32]
    log_sizes: Numbers
    bounds: Numbers
    patterns: NDArray[np.uint32]


RUNS = types.NamedTuple(
    [
        *[types.int64[:, ::1], TABLE, INTEGERS, types.float32[:, :, ::1]],
        *[FLOATS, NUMBERS, NUMBERS, WORDS],
    ],
    Runs,
)


def runs(network: Network, grid: Grid) -> Runs:
    """Allocate memory for as many people as are visited at once."""
    m, neurons = len(grid.rows), int(network.neuron_starts[-2])
    people = max(1, ROWS // m)
    blocks = -(-people * m // LANES) + 1
    rows = blocks * LANES
    return Runs(
        np.zeros((2, people), np.int64),
        np.zeros((2, rows), np.float32),
        np.zeros(rows, np.int64),
        np.zeros((blocks, int(network.widths[0]), LANES), np.float32),
        np.zeros(rows, np.float32),
        np.zeros(rows),
        np.zeros(m),
        np.zeros((3, neurons), np.uint32),
    )


@written_out
def visit(
    network: Network, work: Workspace, grid: Grid, points: Numbers, n: int, found: Runs
) -> None:
    """Send everyone in I(v) forward, for the n people visited, and one of each run back.

    The people follow each other without a gap: one may begin in the block in which another ends.
    """
    pattern, before, waiting = found.patterns[0], found.patterns[1], found.patterns[2]
    n_runs, end = 0, n * len(grid.rows)
    for start in range(0, end, LANES):
        n_lanes = min(LANES, end - start)
        begins = _enter(grid, points, start, n_lanes, found, work)
        _keep(work.blocks[forward(network, pattern, work)], start, found)
        begins |= _begins(pattern, before)
        for lane in range(n_lanes):
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
    _fill(x, 0, LANES, work)
    if place >= 0:
        for number in range(len(grid.columns)):
            work.inputs[grid.columns[number], 1] = grid.values[number, place]
    start = len(found.run) - LANES
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


@written_out
def _enter(
    grid: Grid, points: Numbers, start: int, n_lanes: int, found: Runs, work: Workspace
) -> np.uint32:
    """Write the rows from ``start`` on to those that go forward; tell in which a person begins.

    What does not differ within I(v) is written once to each lane.
    """
    lane, begins = 0, ZERO
    while lane < n_lanes:
        number, place = (start + lane) // len(grid.rows), (start + lane) % len(grid.rows)
        stop = min(n_lanes, lane + len(grid.rows) - place)
        if place < LANES:
            _fill(points[found.visited[0, number]], lane, stop, work)
        if place == 0:
            begins |= ONE << np.uint32(lane)
        for column in range(len(grid.columns)):
            for other in range(lane, stop):
                value = grid.values[column, place + other - lane]
                work.inputs[grid.columns[column], other] = value
        lane = stop
    return begins


@inner
def _fill(x: Numbers, first: int, stop: int, work: Workspace) -> None:
    """Write a person to the lanes from ``first`` to before ``stop``."""
    for feature in range(len(x)):
        for lane in range(first, stop):
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
