"""Linear bounds of dense ReLU networks over boxes (CROWN), in float64.

``rafair.bounds.crown`` says what is computed, and computes it with torch where this cannot run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import INTEGERS, NUMBERS, entry, inner, written_out
from rafair.kernels.lanes import load, plus_product, spread, store
from rafair.kernels.lines import (
    ABOVE,
    BELOW,
    BEST,
    BEST_SLOPE,
    BOX,
    CENTRE,
    CONSTANT,
    FACTORS,
    GAIN,
    LABEL,
    LANES,
    LAYERS,
    LOWER,
    MEAN,
    MEMORY,
    NUMBER_TABLE,
    PAIRS,
    PASSED,
    PLAIN,
    PLAIN_SLOPE,
    RADIUS,
    RIVAL,
    SHIFT,
    SLOPE,
    SQUARE,
    TRIAL,
    Memory,
    carry,
    inputs_of,
    matrix,
    memory,
    settle,
    times_weights,
)
from rafair.kernels.network import Network
from rafair.kernels.passes import sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.lines import Signs
    from rafair.kernels.network import Numbers

__all__ = ["Questions", "Results", "Steps", "bound_boxes", "memory"]


class Steps(NamedTuple):
    """How bounds are raised: by ``number`` steps of Adam with a ``rate``."""

    number: int
    rate: float


class Questions(NamedTuple):
    """The boxes, and what is asked about them.

    Attributes
    ----------
    low, high : array, shape (n, d)
    y : array of int64, shape (n,)
    rivals : array of int64, shape (n, r)
    known : array of int8, shape (n, hidden neurons)
        Signs, 0 where they are to be found; see ``linear_bound``.
    windows : array, shape (n, 2)
        A bound above the first number and not above the second one is raised.
    """

    low: Numbers
    high: Numbers
    y: NDArray[np.int64]
    rivals: NDArray[np.int64]
    known: Signs
    windows: Numbers


class Results(NamedTuple):
    """The fields of ``rafair.bounds.crown.Bound``; ``signs`` is the pattern of all layers."""

    lower: Numbers
    slope: Numbers
    plain_slope: Numbers
    sensitivity: Numbers
    signs: Signs
    gain: Numbers
    others: Numbers


SIGNS = types.int8[:, ::1]
QUESTIONS = types.NamedTuple(
    [NUMBER_TABLE, NUMBER_TABLE, INTEGERS, PAIRS, SIGNS, NUMBER_TABLE], Questions
)
STEPS = types.NamedTuple([types.int64, types.float64], Steps)
RESULTS = types.NamedTuple(
    [NUMBERS, NUMBER_TABLE, NUMBER_TABLE, NUMBER_TABLE, SIGNS, NUMBERS, NUMBERS], Results
)


@inner
def _margin(network: Network, memory: Memory) -> None:
    """Write the coefficients and the constant of z_label − z_rival, one pair for each lane."""
    last = len(network.widths) - 2
    weights = matrix(network.weights, network, last, network.widths[last + 1])
    biases = network.biases[network.neuron_starts[last] :]
    rows = inputs_of(network, last, memory.lines[PASSED], memory.ends[SLOPE])
    for lane in range(LANES):
        label, rival = memory.who[LABEL, lane], memory.who[RIVAL, lane]
        memory.numbers[CONSTANT, lane] = biases[label] - biases[rival]
        for k in range(len(rows)):
            rows[k, lane] = weights[label, k] - weights[rival, k]


@written_out
def _feel(network: Network, absolute: Numbers, memory: Memory) -> None:
    """Carry the coefficients of a margin, in ``passed``, back through absolute values.

    The result goes to ``slope``.
    """
    last = len(network.widths) - 2
    rows = inputs_of(network, last, memory.lines[PASSED], memory.ends[SLOPE])
    for k in range(len(rows)):
        for lane in range(LANES):
            rows[k, lane] = abs(rows[k, lane])
    for layer in range(last - 1, -1, -1):
        start = network.neuron_starts[layer]
        for place in range(memory.n_awake[layer]):
            neuron = np.int64(memory.awake[layer, place])
            lines = load(memory.lines[ABOVE], start + neuron)
            factor = plus_product(spread(0.0), lines, load(memory.lines[PASSED], start + neuron))
            store(memory.layers[FACTORS], neuron, factor)
        times_weights(absolute, layer, network, memory)


@written_out
def _improve(network: Network, step: int, rate: float, memory: Memory) -> None:
    """Make a step of Adam on the slopes of the lower lines of unstable neurons.

    The bound is the value of a linear function at one corner of the box. This corner is carried
    forwards by the lines that the function used; the derivative by a neuron's lower slope is its
    positive coefficient times its input.
    """
    inputs, places, n = memory.layers[FACTORS], memory.everyone, network.widths[0]
    for k in range(n):
        for lane in range(LANES):
            slope, radius = memory.ends[SLOPE, k, lane], memory.ends[RADIUS, k, lane]
            side = 0.0 if slope == 0 else math.copysign(radius, slope)
            inputs[k, lane] = memory.ends[CENTRE, k, lane] - side
    for layer in range(len(network.widths) - 2):
        start, stop = network.neuron_starts[layer], network.neuron_starts[layer + 1]
        weights, biases = network.weights, network.biases[start:stop]
        awake, n_awake, outputs = (
            memory.awake[layer],
            memory.n_awake[layer],
            memory.layers[layer % 2],
        )
        begin, width = network.weight_starts[layer], network.widths[layer]
        sums(weights, begin, width, biases, awake, n_awake, places, n, inputs, outputs)
        for place in range(n_awake):
            neuron = np.int64(awake[place])
            here = start + neuron
            for lane in range(LANES):
                value, passed = outputs[neuron, lane], memory.lines[PASSED, here, lane]
                outputs[neuron, lane] = _line(value, passed, here, lane, memory)
                if memory.lines[SHIFT, here, lane] > 0:
                    _adam(max(passed, 0.0) * value, step, rate, here, lane, memory)
        inputs, places, n = outputs, awake, n_awake


@inner
def _line(value: float, passed: float, neuron: int, lane: int, memory: Memory) -> float:
    """Return the value of the line that a function with this coefficient used."""
    if passed > 0:
        found: float = memory.lines[TRIAL, neuron, lane] * value
    else:
        found = memory.lines[ABOVE, neuron, lane] * value + memory.lines[SHIFT, neuron, lane]
    return found


@inner
def _adam(gradient: float, step: int, rate: float, neuron: int, lane: int, memory: Memory) -> None:
    """Move a lower slope, within [0, 1]."""
    mean, square = memory.lines[MEAN, neuron, lane], memory.lines[SQUARE, neuron, lane]
    mean += 0.1 * (gradient - mean)
    square += 0.001 * (gradient * gradient - square)
    memory.lines[MEAN, neuron, lane], memory.lines[SQUARE, neuron, lane] = mean, square
    size = np.sqrt(square / (1 - 0.999**step)) + 1e-12
    slope = memory.lines[TRIAL, neuron, lane] + rate * mean / (1 - 0.9**step) / size
    memory.lines[TRIAL, neuron, lane] = min(max(slope, 0.0), 1.0)


@written_out
def _bound_margins(network: Network, windows: Numbers, steps: Steps, memory: Memory) -> None:
    """Bound z_label − z_rival, and raise the bounds of the lanes that are worth it."""
    for neuron in range(len(memory.lines[BELOW])):
        for lane in range(LANES):
            memory.lines[TRIAL, neuron, lane] = memory.lines[BELOW, neuron, lane]
            memory.lines[MEAN, neuron, lane] = memory.lines[SQUARE, neuron, lane] = 0.0
    for step in range(steps.number + 1):
        if step > 0:
            _improve(network, step, steps.rate, memory)
        _margin(network, memory)
        carry(network, len(network.widths) - 2, memory.lines[TRIAL], memory)
        if not _keep_best(step == 0, windows, memory):
            break


@written_out
def _keep_best(is_first: bool, windows: Numbers, memory: Memory) -> bool:
    """Keep a bound if it is the best of its lane; tell whether any is worth raising."""
    any_loose = False
    for lane in range(LANES):
        lower, box = memory.numbers[LOWER, lane], memory.who[BOX, lane]
        if is_first:
            memory.numbers[PLAIN, lane] = lower
        plain = memory.numbers[PLAIN, lane]
        is_loose = windows[box, 0] < plain <= windows[box, 1]
        any_loose |= is_loose
        if is_first or (is_loose and lower > memory.numbers[BEST, lane]):
            memory.numbers[BEST, lane] = lower
            for k in range(len(memory.ends[SLOPE])):
                memory.ends[BEST_SLOPE, k, lane] = memory.ends[SLOPE, k, lane]
                if is_first:
                    memory.ends[PLAIN_SLOPE, k, lane] = memory.ends[SLOPE, k, lane]
        memory.numbers[GAIN, lane] = memory.numbers[BEST, lane] - plain if is_loose else np.nan
    return any_loose


@written_out
def _keep_least(is_first: bool, n: int, memory: Memory, found: Results) -> None:
    """Write the bounds over a rival where they are the lowest of all rivals so far.

    ``slope`` holds the sensitivity.
    """
    for lane in range(n):
        box, lower = memory.who[BOX, lane], memory.numbers[BEST, lane]
        if is_first:
            found.lower[box] = found.others[box] = np.inf
        if lower >= found.lower[box]:
            found.others[box] = min(found.others[box], lower)
            continue
        found.others[box] = found.lower[box]
        found.lower[box], found.gain[box] = lower, memory.numbers[GAIN, lane]
        for k in range(found.slope.shape[1]):
            found.slope[box, k] = memory.ends[BEST_SLOPE, k, lane]
            found.plain_slope[box, k] = memory.ends[PLAIN_SLOPE, k, lane]
            found.sensitivity[box, k] = memory.ends[SLOPE, k, lane]


@entry(LAYERS, MEMORY, NUMBERS, QUESTIONS, STEPS, types.int64, types.int64, RESULTS)
def bound_boxes(
    network: Network,
    memory: Memory,
    absolute: Numbers,
    asked: Questions,
    steps: Steps,
    first: int,
    last: int,
    found: Results,
) -> None:
    """Write the bounds of the boxes from ``first`` to before ``last``.

    ``absolute`` holds the absolute values of the transposed weights.
    """
    for start in range(first, last, LANES):
        n = min(LANES, last - start)
        for lane in range(LANES):
            box = start + min(lane, n - 1)  # the last box fills the block
            memory.who[BOX, lane], memory.who[LABEL, lane] = box, asked.y[box]
            for k in range(asked.low.shape[1]):
                low, high = asked.low[box, k], asked.high[box, k]
                memory.ends[CENTRE, k, lane] = (low + high) / 2
                memory.ends[RADIUS, k, lane] = (high - low) / 2
        settle(network, asked.known, found.signs, memory)
        for place in range(asked.rivals.shape[1]):
            for lane in range(LANES):
                memory.who[RIVAL, lane] = asked.rivals[memory.who[BOX, lane], place]
            _bound_margins(network, asked.windows, steps, memory)
            _margin(network, memory)
            _feel(network, absolute, memory)
            _keep_least(place == 0, n, memory, found)
