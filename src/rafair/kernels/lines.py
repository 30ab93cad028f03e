"""Lines below and above ReLU in a block of boxes, and linear functions carried back through them.

A box is in each lane. A linear function of a layer's inputs has a block of coefficients, (width,
lanes), which is carried back to the network's input, layer by layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import INTEGERS, NUMBERS, inner, written_out
from rafair.kernels.lanes import COUNTS, load, only, plus_product, positive, spread, store
from rafair.kernels.network import TILE, Network
from rafair.kernels.passes import sums

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from rafair.kernels.network import Numbers

    Block: TypeAlias = Numbers  # (width, LANES)
    Signs: TypeAlias = NDArray[np.int8]

__all__ = [
    "LANES",
    "LAYERS",
    "MEMORY",
    "Memory",
    "carry",
    "inputs_of",
    "matrix",
    "memory",
    "settle",
    "times_weights",
]

LANES = COUNTS[types.float64]


class Memory(NamedTuple):
    """What the bounds of one block of boxes need; some rows of each array have a name.

    Attributes
    ----------
    lines : array, shape (7, hidden neurons, LANES)
        The lines of each neuron, ``BELOW`` · z and ``ABOVE`` · z + ``SHIFT``; ``TRIAL`` is
        ``BELOW`` while it is improved, by Adam with ``MEAN`` and ``SQUARE``. A function depends on
        the neuron's output by ``PASSED``.
    ends : array, shape (5, features, LANES)
        ``CENTRE`` and ``RADIUS`` of a box, ``SLOPE`` of a function, ``PLAIN_SLOPE`` and
        ``BEST_SLOPE`` of a margin.
    layers : array, shape (3, width, LANES)
        Two that layers write to in turn, and ``FACTORS``.
    numbers : array, shape (6, LANES)
        ``CONSTANT`` of a function, ``LOWER`` and ``UPPER`` bound, ``PLAIN`` and ``BEST`` lower
        bound of a margin, and their difference, ``GAIN``.
    who : array of int64, shape (3, LANES)
        ``BOX``, ``LABEL`` and ``RIVAL``: what each lane is about.
    awake, n_awake : array of uintp, shapes (layers, width + TILE) and (layers,)
        Neurons that are not idle in all boxes.
    everyone, zeros : array, shape (width,)
        0, 1, 2, …; and 0, 0, 0, …
    """

    lines: Numbers
    ends: Numbers
    layers: Numbers
    numbers: Numbers
    who: NDArray[np.int64]
    awake: NDArray[np.uintp]
    n_awake: NDArray[np.uintp]
    everyone: NDArray[np.uintp]
    zeros: Numbers


BELOW, ABOVE, SHIFT, TRIAL, MEAN, SQUARE, PASSED = range(7)
CENTRE, RADIUS, SLOPE, PLAIN_SLOPE, BEST_SLOPE = range(5)
FACTORS = 2
CONSTANT, LOWER, UPPER, PLAIN, BEST, GAIN = range(6)
BOX, LABEL, RIVAL = range(3)

NUMBER_TABLE, NUMBER_TABLES = types.float64[:, ::1], types.float64[:, :, ::1]
PAIRS = types.int64[:, ::1]
LAYERS = types.NamedTuple(
    [*[NUMBERS] * 3, NUMBER_TABLE, *[INTEGERS] * 3, types.int64, types.int64], Network
)
MEMORY = types.NamedTuple(
    [
        *[NUMBER_TABLES] * 3,
        *[NUMBER_TABLE, PAIRS],
        *[types.uintp[:, ::1], types.uintp[::1], types.uintp[::1], NUMBERS],
    ],
    Memory,
)


def memory(network: Network) -> Memory:
    """Allocate memory for bounds of a network."""
    hidden, width, d = int(network.neuron_starts[-2]), int(network.widths.max()), network.widths[0]
    layers = len(network.widths)
    return Memory(
        np.zeros((7, hidden, LANES)),
        np.zeros((5, d, LANES)),
        np.zeros((3, width, LANES)),
        np.zeros((6, LANES)),
        np.zeros((3, LANES), np.int64),
        np.zeros((layers, width + TILE), np.uintp),
        np.zeros(layers, np.uintp),
        np.arange(width, dtype=np.uintp),
        np.zeros(width),
    )


@written_out
def matrix(values: Numbers, network: Network, layer: int, n_rows: int) -> Numbers:
    """Return the weights of a layer from all weights, as a matrix with so many rows."""
    start, stop = network.weight_starts[layer], network.weight_starts[layer + 1]
    found: Numbers = values[start:stop].reshape((n_rows, (stop - start) // n_rows))
    return found


@written_out
def inputs_of(network: Network, layer: int, hidden: Block, ends: Block) -> Block:
    """Return the part of ``hidden`` for the inputs of a layer; ``ends`` if it is the first."""
    if layer == 0:
        return ends
    part: Block = hidden[network.neuron_starts[layer - 1] : network.neuron_starts[layer]]
    return part


@written_out
def settle(network: Network, known: Signs, signs: Signs, memory: Memory) -> None:
    """Write the sign of each neuron in each box, 0 where it is unstable, and its lines."""
    for layer in range(len(network.widths) - 2):
        start, width = network.neuron_starts[layer], network.widths[layer + 1]
        weights = matrix(network.weights, network, layer, width)
        n_awake = 0
        for neuron in range(width):
            here = start + neuron
            if layer == 0:
                _interval(weights[neuron], network.biases[here], memory)
            elif _any_unknown(known, here, memory):
                _bound_input(network, layer, weights[neuron], here, memory)
            awake = False
            for lane in range(LANES):
                box = memory.who[BOX, lane]
                low, high = memory.numbers[LOWER, lane], memory.numbers[UPPER, lane]
                sign = _sign(known[box, here], low, high)
                signs[box, here] = sign
                _relax(low, high, sign, here, lane, memory)
                awake |= sign >= 0
            memory.awake[layer, n_awake] = neuron
            n_awake += awake
        memory.n_awake[layer] = n_awake
        for place in range(n_awake, n_awake + TILE - 1):
            memory.awake[layer, place] = memory.awake[layer, max(n_awake - 1, 0)]


@inner
def _any_unknown(known: Signs, neuron: int, memory: Memory) -> bool:
    unknown = False
    for lane in range(LANES):
        unknown |= known[memory.who[BOX, lane], neuron] == 0
    return unknown


@inner
def _sign(known: int, low: float, high: float) -> int:
    if known != 0:
        return known
    if low >= 0:
        return 1
    return -1 if high <= 0 else 0


@inner
def _relax(low: float, high: float, sign: int, neuron: int, lane: int, memory: Memory) -> None:
    """Write the lines of a neuron; see ``Relaxation.over``."""
    active = 1.0 if sign > 0 else 0.0
    below, above, shift = active, active, 0.0
    if sign == 0:
        above = high / (high - low)
        below = 1.0 if high > -low else 0.0
        shift = -above * low
    memory.lines[BELOW, neuron, lane] = below
    memory.lines[ABOVE, neuron, lane] = above
    memory.lines[SHIFT, neuron, lane] = shift


@inner
def _interval(weights: Numbers, bias: float, memory: Memory) -> None:
    """Bound the input of a first neuron."""
    low, high = spread(bias), spread(bias)
    for k in range(len(weights)):
        centre, radius = load(memory.ends[CENTRE], k), load(memory.ends[RADIUS], k)
        size = abs(weights[k])
        low = plus_product(plus_product(low, weights[k], centre), -size, radius)
        high = plus_product(plus_product(high, weights[k], centre), size, radius)
    store(memory.numbers, LOWER, low)
    store(memory.numbers, UPPER, high)


@written_out
def _bound_input(
    network: Network, layer: int, weights: Numbers, neuron: int, memory: Memory
) -> None:
    """Bound the input of a neuron of a later layer."""
    rows = inputs_of(network, layer, memory.lines[PASSED], memory.ends[SLOPE])
    for factor in (-1.0, 1.0):
        for k in range(len(weights)):
            store(rows, k, spread(factor * weights[k]))
        store(memory.numbers, CONSTANT, spread(factor * network.biases[neuron]))
        carry(network, layer, memory.lines[BELOW], memory)
        if factor < 0:
            store(memory.numbers, UPPER, _negative(load(memory.numbers, LOWER)))


@inner
def _negative(lanes: Block) -> Block:
    found: Block = plus_product(spread(0.0), -1.0, lanes)
    return found


@inner
def carry(network: Network, layer: int, below: Block, memory: Memory) -> None:
    """Bound a function of a layer's inputs from below by a linear function of the network's.

    The function's coefficients are in ``passed``; those of the linear function go to ``slope``, its
    least value over the box to ``numbers``.
    """
    constant = load(memory.numbers, CONSTANT)
    for lower_layer in range(layer - 1, -1, -1):
        start = network.neuron_starts[lower_layer]
        for place in range(memory.n_awake[lower_layer]):
            neuron = np.int64(memory.awake[lower_layer, place])
            here = start + neuron
            passed = load(memory.lines[PASSED], here)
            up = only(passed, positive(passed))
            down = plus_product(passed, -1.0, up)
            constant = plus_product(constant, load(memory.lines[SHIFT], here), down)
            factor = plus_product(spread(0.0), load(below, here), up)
            factor = plus_product(factor, load(memory.lines[ABOVE], here), down)
            constant = plus_product(constant, network.biases[here], factor)
            store(memory.layers[FACTORS], neuron, factor)
        times_weights(network.transposed, lower_layer, network, memory)
    for k in range(len(memory.ends[SLOPE])):
        slope = load(memory.ends[SLOPE], k)
        up = only(slope, positive(slope))
        size = plus_product(up, -1.0, plus_product(slope, -1.0, up))
        reach = plus_product(spread(0.0), load(memory.ends[RADIUS], k), size)
        constant = plus_product(constant, load(memory.ends[CENTRE], k), slope)
        constant = plus_product(constant, -1.0, reach)
    store(memory.numbers, LOWER, constant)


@inner
def times_weights(transposed: Numbers, layer: int, network: Network, memory: Memory) -> None:
    """Multiply ``factors``, one for each neuron of a layer, by the layer's weights."""
    rows, width = memory.everyone, network.widths[layer + 1]
    places, n = memory.awake[layer], memory.n_awake[layer]
    outputs = inputs_of(network, layer, memory.lines[PASSED], memory.ends[SLOPE])
    start, factors = network.weight_starts[layer], memory.layers[FACTORS]
    sums(transposed, start, width, memory.zeros, rows, len(outputs), places, n, factors, outputs)
