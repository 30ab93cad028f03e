"""The choice of the counterpart with the largest gradient: line 4 of Algorithm 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rafair.kernels.compiling import inner, written_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.counterparts import Grid, Runs
    from rafair.kernels.network import Numbers

    Flags = NDArray[np.bool_]

__all__ = ["similar_counterpart"]

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


@written_out
def similar_counterpart(
    grid: Grid, found: Runs, first: int, sign: np.float32, slope: Numbers, excluded: Flags
) -> int:
    """Line 4: return the place of the counterpart with the largest gradient, −1 if there is none.

    On a tie it is the one that comes first in I(v). Upper bounds, which need no logarithm, leave
    only a few places.
    """
    chosen, largest, bounds = -1, -np.inf, found.bounds
    for place in range(len(grid.rows)):
        bounds[place] = -np.inf if excluded[place] else _most(found, first + place, sign, slope)
        if bounds[place] > largest:
            chosen, largest = place, bounds[place]
    if chosen >= 0:
        largest = _log_norm(found, first + chosen, sign, slope)
    for place in range(len(grid.rows)):
        if bounds[place] < largest or bounds[place] == -np.inf:
            continue
        norm = _log_norm(found, first + place, sign, slope)
        is_earlier = norm == largest and grid.rows[place] < grid.rows[chosen]
        if norm > largest or is_earlier:
            chosen, largest = place, norm
    return chosen


@inner
def _odds_against(found: Runs, row: int, sign: np.float32) -> float:
    """Return the log-odds against the label."""
    odds: float = np.float64(sign * (found.scores[1, row] - found.scores[0, row]))
    return odds


@inner
def _log_norm(found: Runs, row: int, sign: np.float32, slope: Numbers) -> float:
    """Return log ‖∇ₓ l(y, f(v'))‖₁.

    The slope is c qᵃ pᵇ with the probability of y, p = 1 − q, also where one of them underflows.
    """
    odds = _odds_against(found, row, sign)
    log_p = -(max(odds, 0.0) + math.log1p(math.exp(-abs(odds))))
    log_slope = slope[0] + slope[1] * (log_p + odds) + slope[2] * log_p
    norm: float = max(log_slope + found.log_sizes[found.run[row]], ZERO_GRADIENT)
    return norm


@inner
def _most(found: Runs, row: int, sign: np.float32, slope: Numbers) -> float:
    """Return an upper bound of ``_log_norm``.

    log(1 + exp −z), of z ≥ 0, lies below log 2 and above its tangents.
    """
    odds = _odds_against(found, row, sign)
    size, powers, least = abs(odds), slope[1] + slope[2], 0.0
    for constant, decline in TANGENTS:
        least = max(least, constant - decline * size)
    if powers < 0:
        least = LOG_2
    most = slope[0] - slope[1] * max(-odds, 0.0) - slope[2] * max(odds, 0.0)
    most += found.log_sizes[found.run[row]] - powers * least + SLACK
    bound: float = max(most, ZERO_GRADIENT)
    return bound
