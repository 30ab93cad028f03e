"""What one more stump or split would gain for the least margins of people over intervals.

A piece is a part of a feature's range between two cuts. With a person goes an interval of pieces,
in which the feature may lie, and a side, 1 or −1: the margin is the side times a sum over features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from rafair.kernels.compiling import INTEGERS, NUMBERS, entry

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["least_values", "split_sums", "stump_gains"]

_PIECES = types.int32[::1]
_SUMS = types.float64[:, ::1]


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


@entry(INTEGERS, _PIECES, _PIECES, types.int64, types.int64, NUMBERS, NUMBERS, NUMBERS, _SUMS)
def split_sums(
    rows: NDArray[np.int64],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    low: int,
    high: int,
    side: NDArray[np.float64],
    slope: NDArray[np.float64],
    curvature: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add slopes and curvatures of people at the piece that decides their side of each cut.

    A person who can be on both sides of a cut is where the margin is least. If the right side has
    the larger score, that is the left side for side 1 and the right one for side −1; a person of
    side 1 is then left of every cut above ``first``, one of side −1 left of every cut above
    ``last``. If the left side has the larger score it is the other way round.

    Parameters
    ----------
    rows : array, shape (some,)
        The people.
    first, last, side : see ``least_values``; the interval is cut to the pieces low … high.
    slope, curvature : array, shape (n,)
        −∂loss/∂margin and ∂²loss/∂margin².
    sums : array, shape (4, pieces)
        Side · slope and curvature, for a larger score on the right, then on the left.
    """
    for row in rows:
        start, end = max(first[row], low), min(last[row], high)
        here, there = (start, end) if side[row] > 0 else (end, start)
        sums[0, here] += side[row] * slope[row]
        sums[1, here] += curvature[row]
        sums[2, there] += side[row] * slope[row]
        sums[3, there] += curvature[row]
