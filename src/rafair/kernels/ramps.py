"""What single features add to the parts of a margin, from piece to piece, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numba import types

from rafair.kernels.compiling import NUMBERS, inner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RAMPS", "Ramps", "differs", "ramp_ends", "ramp_gain"]


class Ramps(NamedTuple):
    """Functions of one feature, each of which is added to a part.

    Attributes
    ----------
    owner : array of int32, shape (ramps,)
        The part that it is added to; see ``Parts``. Its sign is that of the maps there.
    feature : array of int32, shape (ramps,)
    first : array of int32, shape (ramps,)
        Where its numbers for the feature's first piece stand.
    is_monotone : array of bool, shape (ramps,)
        Whether its numbers rise, or fall, from piece to piece.
    is_spread : array of bool, shape (ramps,)
        Whether it changes within pieces.
    least, most : array of float64
        Bounds for every piece of every ramp's feature.
    """

    owner: NDArray[np.int32]
    feature: NDArray[np.int32]
    first: NDArray[np.int32]
    is_monotone: NDArray[np.bool_]
    is_spread: NDArray[np.bool_]
    least: NDArray[np.float64]
    most: NDArray[np.float64]


_PLACES, _FLAGS = types.int32[::1], types.boolean[::1]
RAMPS = types.NamedTuple(
    [_PLACES, _PLACES, _PLACES, _FLAGS, _FLAGS, NUMBERS, NUMBERS],
    Ramps,
)


@inner
def _ends(ramps: Ramps, at: int, low: int, high: int) -> tuple[float, float]:
    """Return the least and the most over the pieces from low to high."""
    one, other = ramps.first[at] + low, ramps.first[at] + high
    least = min(ramps.least[one], ramps.least[other])
    most = max(ramps.most[one], ramps.most[other])
    if not ramps.is_monotone[at]:
        for piece in range(one + 1, other):
            least, most = min(least, ramps.least[piece]), max(most, ramps.most[piece])
    return least, most


@inner
def ramp_ends(
    ramps: Ramps, at: int, low: int, high: int, sign: float, reach: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the least and the most of sign · ramp over the pieces from low to high.

    ``reach``, (2, ramps), holds what each ramp is at least, and at most, within all of Δ.
    """
    least, most = _ends(ramps, at, low, high)
    least, most = max(least, reach[0, at]), min(most, reach[1, at])
    return (least, most) if sign > 0 else (-most, -least)


@inner
def ramp_gain(
    ramps: Ramps, at: int, low: int, high: int, sign: float, reach: NDArray[np.float64]
) -> float:
    """Return how much less the one half of the pieces adds at most than the other; 0 if no split
    in the middle, or of a half, can tell pieces apart.
    """
    if low == high:
        return 0.0
    start, is_flat = ramps.first[at], True
    for piece in range(low + 1, high + 1):
        if (
            ramps.least[start + piece] != ramps.least[start + low]
            or ramps.most[start + piece] != ramps.most[start + low]
        ):
            is_flat = False
            break
    if is_flat:
        return 0.0
    middle = (low + high) // 2
    one = ramp_ends(ramps, at, low, middle, sign, reach)[1]
    other = ramp_ends(ramps, at, middle + 1, high, sign, reach)[1]
    return abs(one - other) + 1e-30


@inner
def differs(ramps: Ramps, at: int, own: int, low: int, high: int) -> bool:
    """Tell whether a ramp may differ between somebody's own piece and those from low to high."""
    return low != high or own != low or bool(ramps.is_spread[at])
