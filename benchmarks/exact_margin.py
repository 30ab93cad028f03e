"""The least margin of a ReLU network over a box, exactly: a mixed-integer program for HiGHS.

For small boxes: the program has a choice between active and idle for each neuron that may be both.
It is written from the weights alone. A neuron is bounded by intervals, and, where these do not
settle it, by two linear programs over the relaxation of the layers before.

Source: Tjeng et al., Evaluating robustness of neural networks with mixed integer programming,
ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.optimize import OptimizeResult

    Layers = Sequence[tuple[np.ndarray, np.ndarray]]

__all__ = ["Least", "least_margin", "margin"]

# What HiGHS's tolerances may take from a bound.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Least:
    """The least margin lies in [below, above]; ``above`` is the margin of ``point``."""

    below: float
    above: float
    point: np.ndarray


def margin(layers: Layers, point: np.ndarray, y: int) -> float:
    """Return z_y − max over j ≠ y of z_j, in float64."""
    for weight, bias in layers[:-1]:
        point = np.maximum(weight @ point + bias, 0.0)
    z = layers[-1][0] @ point + layers[-1][1]
    return float(z[y] - np.delete(z, y).max())


def least_margin(
    layers: Layers, low: np.ndarray, high: np.ndarray, y: int, seconds: float
) -> Least:
    """Bracket the least margin of class y over low ≤ x ≤ high, within ``seconds`` for each rival.

    Parameters
    ----------
    layers : weights and biases, ReLU between them, in float64
    """
    program, alive, last = _graph(layers, low, high)
    weight, bias = layers[-1]
    found = []
    for rival in range(len(bias)):
        if rival == y:
            continue
        end = program.minimum(last, (weight[y] - weight[rival])[alive], seconds=seconds)
        shift = bias[y] - bias[rival]
        proved = -np.inf if end.mip_dual_bound is None else end.mip_dual_bound + shift
        point = (low + high) / 2 if end.x is None else end.x[: len(low)].clip(low, high)
        found.append(Least(proved, margin(layers, point, y), point))
    least = min(found, key=lambda one: one.above)
    return Least(min(one.below for one in found), least.above, least.point)


class _Program:
    """Unknowns within bounds, some of them 0 or 1, and linear conditions on them."""

    def __init__(self) -> None:
        self.least: list[float] = []
        self.most: list[float] = []
        self.whole: list[bool] = []
        self.entries: list[tuple[int, int, float]] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def unknown(self, least: float, most: float, *, whole: bool = False) -> int:
        self.least.append(least)
        self.most.append(most)
        self.whole.append(whole)
        return len(self.whole) - 1

    def require(self, lower: float, terms: Sequence[tuple[int, float]], upper: float) -> None:
        """Ask for lower ≤ Σ factor · unknown ≤ upper."""
        self.entries += [(len(self.lower), unknown, factor) for unknown, factor in terms]
        self.lower.append(lower)
        self.upper.append(upper)

    def minimum(
        self, unknowns: Sequence[int], factors: np.ndarray, seconds: float | None = None
    ) -> OptimizeResult:
        """Minimise Σ factor · unknown; without a time, over the relaxation to real numbers."""
        goal = np.zeros(len(self.whole))
        goal[list(unknowns)] = factors
        rows, columns, values = zip(*self.entries, strict=True) if self.entries else ((), (), ())
        matrix = csr_array((values, (rows, columns)), shape=(len(self.lower), len(goal)))
        exact = seconds is not None
        return milp(
            goal,
            integrality=np.array(self.whole, dtype=int) if exact else None,
            bounds=Bounds(self.least, self.most),
            constraints=LinearConstraint(matrix, self.lower, self.upper),
            options={"mip_rel_gap": 0.0, "time_limit": seconds} if exact else None,
        )


def _graph(
    layers: Layers, low: np.ndarray, high: np.ndarray
) -> tuple[_Program, list[int], list[int]]:
    """Write down the hidden layers.

    Returns
    -------
    program : _Program
        Its first unknowns are the input.
    alive, last : list of int
        The neurons of the last hidden layer that are not idle everywhere, and their unknowns.
    """
    program = _Program()
    before = [program.unknown(*bounds) for bounds in zip(low, high, strict=True)]
    alive = list(range(len(low)))
    for weight, bias in layers[:-1]:
        rows = weight[:, alive]
        up, down = rows.clip(0, None), rows.clip(None, 0)
        least, most = up @ low + down @ high + bias, up @ high + down @ low + bias
        for neuron in np.flatnonzero((least < 0) & (most > 0)):
            least[neuron], most[neuron] = _tightened(
                program, before, rows[neuron], bias[neuron], least[neuron], most[neuron]
            )
        alive = np.flatnonzero(most > 0).tolist()
        before = [
            _relu(program, before, rows[neuron], bias[neuron], least[neuron], most[neuron])
            for neuron in alive
        ]
        low, high = least[alive].clip(0, None), most[alive]
    return program, alive, before


def _tightened(
    program: _Program,
    before: Sequence[int],
    row: np.ndarray,
    bias: float,
    least: float,
    most: float,
) -> tuple[float, float]:
    """Bound a neuron's input by linear programs; upwards only while it may be idle."""
    if not program.lower:
        return least, most  # over a box, intervals are exact
    end = program.minimum(before, row)
    if end.status == 0:
        least = max(least, end.fun + bias - TOLERANCE)
    if least < 0:
        end = program.minimum(before, -row)
        if end.status == 0:
            most = min(most, bias - end.fun + TOLERANCE)
    return least, most


def _relu(
    program: _Program,
    before: Sequence[int],
    row: np.ndarray,
    bias: float,
    least: float,
    most: float,
) -> int:
    """Add h = max(z, 0) for z = row · before + bias in [least, most], where most > 0."""
    h = program.unknown(max(least, 0.0), most)
    difference = [(h, 1.0), *zip(before, (-row).tolist(), strict=True)]  # h − row · before
    if least >= 0:
        program.require(bias, difference, bias)
        return h
    active = program.unknown(0, 1, whole=True)
    program.require(bias, difference, np.inf)
    program.require(-np.inf, [*difference, (active, -least)], bias - least)
    program.require(-np.inf, [(h, 1.0), (active, -most)], 0.0)
    return h
