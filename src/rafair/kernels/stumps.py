"""What one more stump would gain for the least margins of people over intervals of pieces.

A piece is a part of a feature's range between two cuts. With a person goes an interval of pieces,
in which the feature may lie, and a side, 1 or −1: the margin is the side times a sum over features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from rafair.kernels.compiling import NUMBERS, entry

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["least_values", "stump_gains"]

_PIECES = types.int32[::1]


@entry(_PIECES, _PIECES, NUMBERS, NUMBERS, NUMBERS)
def least_values(
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    side: NDArray[np.float64],
    values: NDArray[np.float64],
    least: NDArray[np.float64],
) -> None:
    """Write the least side · values over each person's interval, shape (n,).

    Parameters
    ----------
    first, last : array, shape (n,)
        The ends of the interval, both inside.
    side : array, shape (n,)
    values : array, shape (pieces,)
    least : array, shape (n,)
    """
    for person in range(len(first)):
        found = np.inf
        for piece in range(first[person], last[person] + 1):
            found = min(found, side[person] * values[piece])
        least[person] = found


@entry(_PIECES, _PIECES, NUMBERS, NUMBERS, NUMBERS, NUMBERS, types.float64, NUMBERS, allocates=True)
def stump_gains(
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    side: NDArray[np.float64],
    values: NDArray[np.float64],
    least: NDArray[np.float64],
    weight: NDArray[np.float64],
    step: float,
    gain: NDArray[np.float64],
) -> None:
    """Add to the gains, (pieces,), what adding ``step`` from each piece on would change.

    That is the sum over people of weight · (change of the least value over the interval), which is
    exact. Nothing is written for piece 0: a step there would move everybody.

    Parameters
    ----------
    first, last, side, values, least
        As for ``least_values``, with its result.
    weight : array, shape (n,)
    step : float
    gain : array, shape (pieces,)
    """
    pieces = len(values)
    whole, above = np.zeros(pieces), np.zeros(pieces)
    for person in range(len(first)):
        whole[first[person]] += weight[person] * side[person] * step
    rest = 0.0
    for piece in range(pieces - 1, 0, -1):
        rest += whole[piece]
        gain[piece] += rest
    for person in range(len(first)):
        start, end, sign = first[person], last[person], side[person]
        found = np.inf
        for piece in range(end, start, -1):
            found = min(found, sign * values[piece])
            above[piece] = found
        found = np.inf
        for piece in range(start + 1, end + 1):
            found = min(found, sign * values[piece - 1])
            changed = min(found, above[piece] + sign * step) - least[person]
            gain[piece] += weight[person] * changed
