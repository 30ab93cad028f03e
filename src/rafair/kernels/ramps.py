"""What single features add to the parts of a margin, from piece to piece, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numba import types

from rafair.kernels.compiling import inner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "FEATURE",
    "FIRST",
    "IS_MONOTONE",
    "IS_SPREAD",
    "LEAST",
    "MOST",
    "OWNER",
    "RAMPS",
    "Ramps",
    "is_split",
    "ramp_ends",
]

# The columns of a table of ramps, and the rows of their bounds.
OWNER, FEATURE, FIRST, IS_MONOTONE, IS_SPREAD = 0, 1, 2, 3, 4
LEAST, MOST = 0, 1


class Ramps(NamedTuple):
    """Functions of one feature, each of which is added to a part.

    Attributes
    ----------
    table : array of int32, shape (ramps, 5)
        The part that a ramp is added to (see ``Parts``), with the sign of the maps there; its
        feature; where its bounds for the feature's first piece stand; whether they rise, or fall,
        from piece to piece; and whether it changes within pieces.
    bounds : array of float64, shape (2, pieces of all ramps)
        What a ramp is at least and at most in each piece.
    """

    table: NDArray[np.int32]
    bounds: NDArray[np.float64]


RAMPS = types.NamedTuple([types.int32[:, ::1], types.float64[:, ::1]], Ramps)


@inner
def ramp_ends(
    ramps: Ramps, at: int, low: int, high: int, sign: float, reach: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the least and the most of sign · ramp over the pieces from low to high.

    ``reach``, (2, ramps), holds what each ramp is at least, and at most, within all of Δ.
    """
    one, other = ramps.table[at, FIRST] + low, ramps.table[at, FIRST] + high
    least = min(ramps.bounds[LEAST, one], ramps.bounds[LEAST, other])
    most = max(ramps.bounds[MOST, one], ramps.bounds[MOST, other])
    if not ramps.table[at, IS_MONOTONE]:
        for piece in range(one + 1, other):
            least = min(least, ramps.bounds[LEAST, piece])
            most = max(most, ramps.bounds[MOST, piece])
    least, most = max(least, reach[LEAST, at]), min(most, reach[MOST, at])
    return (least, most) if sign > 0 else (-most, -least)


@inner
def is_split(ramps: Ramps, at: int, low: int, high: int) -> bool:
    """Tell whether a ramp may tell the pieces from low to high apart."""
    if not ramps.table[at, IS_MONOTONE]:
        return low < high
    one, other = ramps.table[at, FIRST] + low, ramps.table[at, FIRST] + high
    same_least = ramps.bounds[LEAST, one] == ramps.bounds[LEAST, other]
    return not (same_least and ramps.bounds[MOST, one] == ramps.bounds[MOST, other])
