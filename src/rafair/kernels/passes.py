"""The forward and the backward pass of one block of rows.

Both leave out idle neurons: those that are 0 for all rows of the block. What they would add is
exactly 0, and each sum takes a layer's inputs in ascending order. So the numbers of a row do not
depend on the other rows of its block. A leaky neuron is never idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numba import types

from rafair.kernels.compiling import FLOATS, TABLE, inner
from rafair.kernels.lanes import LANES, load, only, plus_product, positive, store
from rafair.kernels.network import TILE, Network
from rafair.kernels.tiles import each, lines, plus_products, store_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.network import Numbers

    Block: TypeAlias = NDArray[np.float32]  # (width, LANES)
    Pattern: TypeAlias = NDArray[np.uint32]  # (neurons,), bit r of a word: active in row r
    Places: TypeAlias = NDArray[np.uintp]

__all__ = ["WORKSPACE", "Workspace", "backward", "forward", "sums", "workspace"]

# A vector that begins at a multiple of 64 bytes lies in one cache line.
CACHE_LINE = 64


class Workspace(NamedTuple):
    """The memory of one thread.

    Attributes
    ----------
    inputs : array of float32, shape (width, LANES)
        The rows that go forward; entries from d on stay 0.
    outer : array of float32, shape (width, LANES)
        The factors that go back.
    blocks : array of float32, shape (2, width, LANES)
        The layers write to them in turn.
    zeros : array of float32, shape (width,)
    everyone : array of uintp, shape (width,)
        0, 1, 2, …
    awake : array of uintp, shape (2, width + TILE)
        Neurons that are not idle, of two layers.
    """

    inputs: Block
    outer: Block
    blocks: NDArray[np.float32]
    zeros: NDArray[np.float32]
    everyone: Places
    awake: NDArray[np.uintp]


WORKSPACE = types.NamedTuple(
    [TABLE, TABLE, types.float32[:, :, ::1], FLOATS, types.uintp[::1], types.uintp[:, ::1]],
    Workspace,
)


def workspace(network: Network) -> Workspace:
    """Allocate memory for passes through a network."""
    width = int(network.widths.max())
    numbers = np.zeros(4 * width * LANES + CACHE_LINE // 4, np.float32)
    start = -numbers.ctypes.data % CACHE_LINE // 4
    blocks = numbers[start : start + 4 * width * LANES].reshape(4, width, LANES)
    everyone, awake = np.arange(width, dtype=np.uintp), np.zeros((2, width + TILE), np.uintp)
    return Workspace(blocks[0], blocks[1], blocks[2:], np.zeros(width, np.float32), everyone, awake)


@inner
def forward(network: Network, pattern: Pattern, work: Workspace) -> int:
    """Write the scores of the rows in ``work.inputs``, (k, LANES), and write their pattern."""
    last = len(network.widths) - 2
    inputs, places, n = work.inputs, work.everyone, network.n_features
    for layer in range(last + 1):
        start, stop = network.neuron_starts[layer], network.neuron_starts[layer + 1]
        outputs, biases = work.blocks[layer % 2], network.biases[start:stop]
        sums(
            network.weights,
            network.weight_starts[layer],
            network.widths[layer],
            biases,
            work.everyone,
            stop - start,
            places,
            n,
            inputs,
            outputs,
        )
        if layer < last:
            slopes = network.slopes[0, start:stop]
            _rectify(outputs, slopes, pattern[start:stop])
            places = work.awake[0]
            n = _awake(pattern[start:stop], slopes, places)
        inputs = outputs
    return last % 2


@inner
def backward(network: Network, pattern: Pattern, work: Workspace, gradient: Block) -> None:
    """Write Σⱼ uⱼ ∂zⱼ/∂x, shape (d, LANES), for u in ``work.outer`` and rows of given patterns.

    The scores z of all rows with one pattern are one linear function, so that the derivative does
    not depend on anything else.
    """
    outer, places, n = work.outer, work.everyone, network.n_scores
    for layer in range(len(network.widths) - 2, 0, -1):
        start, stop = network.neuron_starts[layer - 1], network.neuron_starts[layer]
        active, slopes = pattern[start:stop], network.slopes[1, start:stop]
        wanted, outputs = work.awake[layer % 2], work.blocks[layer % 2]
        n_wanted = _awake(active, slopes, wanted)
        sums(
            network.transposed,
            network.weight_starts[layer],
            network.widths[layer + 1],
            work.zeros,
            wanted,
            n_wanted,
            places,
            n,
            outer,
            outputs,
        )
        for place in range(n_wanted):
            neuron = wanted[place]
            _bend(outputs, neuron, active[neuron], slopes[neuron])
        places, n, outer = wanted, n_wanted, outputs
    sums(
        network.transposed,
        0,
        network.widths[1],
        work.zeros,
        work.everyone,
        network.n_features,
        places,
        n,
        outer,
        gradient,
    )


@inner
def sums(
    weights: Numbers,
    start: int,
    width: int,
    starts: Numbers,
    rows: Places,
    n_rows: int,
    places: Places,
    n: int,
    inputs: Numbers,
    outputs: Numbers,
) -> None:
    """Write starts[row] + Σₖ weight[row, k] · inputs[k] for some rows; k runs over n places.

    The weights are a matrix of this width from ``start`` on. ``TILE`` rows are taken at a time, so
    that each input is loaded once for all of them.
    """
    for first in range(0, n_rows, TILE):
        tile = lines(weights, start, width, rows, first)
        total = each(starts, rows, first)
        for place in range(n):
            k = places[place]
            total = plus_products(total, tile, k, load(inputs, k))
        store_each(outputs, rows, first, total)


@inner
def _rectify(outputs: Block, slopes: Numbers, pattern: Pattern) -> None:
    """Replace numbers below 0 by 0, or that slope times them, and note which are above."""
    for neuron in range(len(pattern)):
        pattern[neuron] = positive(load(outputs, neuron))
        _bend(outputs, neuron, pattern[neuron], slopes[neuron])


@inner
def _bend(outputs: Block, neuron: int, active: np.uint32, slope: float) -> None:
    """Multiply a neuron's numbers by the slope in the rows in which it is not active."""
    lanes = load(outputs, neuron)
    bent = only(lanes, active)
    if slope != 0:
        bent = plus_product(bent, slope, only(lanes, ~active))
    store(outputs, neuron, bent)


@inner
def _awake(pattern: Pattern, slopes: Numbers, places: Places) -> int:
    """List the neurons that are not idle in every row; the last is repeated to fill a tile."""
    n = 0
    for neuron in range(len(pattern)):
        places[n] = neuron
        n += pattern[neuron] != 0 or slopes[neuron] != 0
    for place in range(n, n + TILE - 1):
        places[place] = places[max(n - 1, 0)]
    return n
