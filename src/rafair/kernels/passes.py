"""The forward and the backward pass of one block of rows.

Both leave out idle neurons: those that are 0 for all rows of the block. What they would add is
exactly 0, and each sum takes a layer's inputs in ascending order. So the numbers of a row do not
depend on the other rows of its block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numba import types

from rafair.kernels.compiling import FLOATS, TABLE, inner
from rafair.kernels.lanes import LANES, load, only, plus_product, positive, spread, store
from rafair.kernels.network import TILE, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.network import Numbers

    Block: TypeAlias = NDArray[np.float32]  # (width, LANES)
    Pattern: TypeAlias = NDArray[np.uint32]  # (neurons,), bit r of a word: active in row r
    Places: TypeAlias = NDArray[np.uintp]

__all__ = ["WORKSPACE", "Workspace", "backward", "forward", "matrix", "sums", "workspace"]

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
def forward(network: Network, pattern: Pattern, work: Workspace) -> Block:
    """Return the scores of the rows in ``work.inputs``, (k, LANES), and write their pattern."""
    last = len(network.widths) - 2
    inputs, places, n = work.inputs, work.everyone, network.n_features
    for layer in range(last + 1):
        start, stop = network.neuron_starts[layer], network.neuron_starts[layer + 1]
        weights = matrix(network.weights, network, layer, stop - start)
        outputs, biases = work.blocks[layer % 2], network.biases[start:stop]
        sums(weights, biases, work.everyone, stop - start, places, n, inputs, outputs)
        if layer < last:
            _rectify(outputs, pattern[start:stop])
            places = work.awake[0]
            n = _awake(pattern[start:stop], places)
        inputs = outputs
    return inputs


@inner
def backward(network: Network, pattern: Pattern, work: Workspace, gradient: Block) -> None:
    """Write Σⱼ uⱼ ∂zⱼ/∂x, shape (d, LANES), for u in ``work.outer`` and rows of given patterns.

    The scores z of all rows with one pattern are one linear function, so that the derivative does
    not depend on anything else.
    """
    outer, places, n = work.outer, work.everyone, network.n_scores
    for layer in range(len(network.widths) - 2, 0, -1):
        weights = matrix(network.transposed, network, layer, network.widths[layer])
        active = pattern[network.neuron_starts[layer - 1] : network.neuron_starts[layer]]
        wanted, outputs = work.awake[layer % 2], work.blocks[layer % 2]
        n_wanted = _awake(active, wanted)
        sums(weights, work.zeros, wanted, n_wanted, places, n, outer, outputs)
        for place in range(n_wanted):
            neuron = wanted[place]
            store(outputs, neuron, only(load(outputs, neuron), active[neuron]))
        places, n, outer = wanted, n_wanted, outputs
    weights = matrix(network.transposed, network, 0, network.widths[0])
    sums(weights, work.zeros, work.everyone, network.n_features, places, n, outer, gradient)


@inner
def matrix(values: Numbers, network: Network, layer: int, n_rows: int) -> Numbers:
    """Return the weights of a layer from all weights, as a matrix with so many rows."""
    start, stop = network.weight_starts[layer], network.weight_starts[layer + 1]
    found: Numbers = values[start:stop].reshape((n_rows, (stop - start) // n_rows))
    return found


@inner
def sums(
    weights: Numbers,
    starts: Numbers,
    rows: Places,
    n_rows: int,
    places: Places,
    n: int,
    inputs: Numbers,
    outputs: Numbers,
) -> None:
    """Write start[row] + Σₖ weight[row, k] · inputs[k] for some rows; k runs over n places.

    ``TILE`` rows at a time, so that each input is loaded once for all of them.
    """
    for tile in range(0, n_rows, TILE):
        a, b, c, d = rows[tile], rows[tile + 1], rows[tile + 2], rows[tile + 3]
        weights_a, weights_b, weights_c, weights_d = weights[a], weights[b], weights[c], weights[d]
        sum_a, sum_b = spread(starts[a]), spread(starts[b])
        sum_c, sum_d = spread(starts[c]), spread(starts[d])
        for place in range(n):
            k = places[place]
            lanes = load(inputs, k)
            sum_a = plus_product(sum_a, weights_a[k], lanes)
            sum_b = plus_product(sum_b, weights_b[k], lanes)
            sum_c = plus_product(sum_c, weights_c[k], lanes)
            sum_d = plus_product(sum_d, weights_d[k], lanes)
        store(outputs, a, sum_a)
        store(outputs, b, sum_b)
        store(outputs, c, sum_c)
        store(outputs, d, sum_d)


@inner
def _rectify(outputs: Block, pattern: Pattern) -> None:
    """Replace numbers below 0 by 0, and note which are above."""
    for neuron in range(len(pattern)):
        lanes = load(outputs, neuron)
        bits = positive(lanes)
        pattern[neuron] = bits
        store(outputs, neuron, only(lanes, bits))


@inner
def _awake(pattern: Pattern, places: Places) -> int:
    """List the neurons that are active in any row; the last is repeated to fill a tile."""
    n = 0
    for neuron in range(len(pattern)):
        places[n] = neuron
        n += pattern[neuron] != 0
    for place in range(n, n + TILE - 1):
        places[place] = places[max(n - 1, 0)]
    return n
