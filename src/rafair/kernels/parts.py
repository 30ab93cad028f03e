"""Bounds of sums of monotone maps of sums, of which trees are the innermost terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import NUMBERS, allocating, inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AFFINE",
    "LOGISTIC",
    "LOGIT",
    "PARTS",
    "STEP",
    "TABLE",
    "Parts",
    "Sums",
    "begin",
    "combined",
    "furthest_apart",
    "sums_for",
]

# The maps: one · t + two; 1 / (1 + exp(−t)); between the points one to before two of a table;
# 1 where t is positive, else 0; log((t + one) / (1 − t + one)) of a probability t.
AFFINE, LOGISTIC, TABLE, STEP, LOGIT = 0, 1, 2, 3, 4


class Parts(NamedTuple):
    """Sums, each of which is mapped and added to a later one; the last one is the margin.

    Attributes
    ----------
    parent : array of int32, shape (parts,)
        The later part that a part is added to; −1 for the last.
    base : array of float64, shape (parts,)
        What trees and parts are added to.
    slack : array of float64, shape (parts,)
        How much the model's own sum may differ before it is mapped.
    steepest : array of float64, shape (parts,)
        The largest slope of an increasing map; infinite where it is not known.
    first : array of int32, shape (parts + 1,)
        The maps of part p are those from first[p] to before first[p + 1], in their order.
    kind : array of int32, shape (maps,)
    one, two : array of float64, shape (maps,)
    xs, ys : array of float64
        The points of all tables.
    sign : float
        −1 if the margin is that of the model's first class over its second, else 1. Sums and bases
        have this sign, maps are those of the second class over the first.
    """

    parent: NDArray[np.int32]
    base: NDArray[np.float64]
    slack: NDArray[np.float64]
    steepest: NDArray[np.float64]
    first: NDArray[np.int32]
    kind: NDArray[np.int32]
    one: NDArray[np.float64]
    two: NDArray[np.float64]
    xs: NDArray[np.float64]
    ys: NDArray[np.float64]
    sign: float


class Sums(NamedTuple):
    """Bounds of each part, for v and for a counterpart.

    Attributes
    ----------
    most, least : array of float64, shape (2, parts)
        Of a counterpart with the sign changed.
    apart : array of float64, shape (parts,)
        The largest difference between v and the counterpart.
    differ : array of bool, shape (parts,)
        Whether they may differ at all.
    weight : array of float64, shape (2, parts)
        How much of a gain in a part arrives in the margin, about.
    """

    most: NDArray[np.float64]
    least: NDArray[np.float64]
    apart: NDArray[np.float64]
    differ: NDArray[np.bool_]
    weight: NDArray[np.float64]


_INT, _TABLE = types.int32[::1], types.float64[:, ::1]
_NUMBERS = (NUMBERS, NUMBERS, NUMBERS)
PARTS = types.NamedTuple(
    [_INT, *_NUMBERS, _INT, _INT, *_NUMBERS, NUMBERS, types.float64],
    Parts,
)


@allocating
def sums_for(n_parts: int) -> Sums:
    """Allocate memory for so many parts."""
    return Sums(
        np.zeros((2, n_parts)),
        np.zeros((2, n_parts)),
        np.zeros(n_parts),
        np.zeros(n_parts, np.bool_),
        np.ones((2, n_parts)),
    )


@inner
def begin(parts: Parts, sums: Sums) -> None:
    """Set all sums to what trees and parts are added to."""
    for part in range(len(parts.parent)):
        base = parts.base[part]
        sums.most[0, part], sums.least[0, part] = base, base
        sums.most[1, part], sums.least[1, part] = -base, -base
        sums.apart[part], sums.differ[part] = 0.0, False


@inner
def _between(parts: Parts, first: int, last: int, number: float) -> float:
    """Return the value of a table, which is constant beyond its ends."""
    if number <= parts.xs[first]:
        return float(parts.ys[first])
    if number >= parts.xs[last - 1]:
        return float(parts.ys[last - 1])
    low, high = first, last - 1
    while high - low > 1:
        middle = (low + high) // 2
        if parts.xs[middle] <= number:
            low = middle
        else:
            high = middle
    share = (number - parts.xs[low]) / (parts.xs[high] - parts.xs[low])
    return float(parts.ys[low] + share * (parts.ys[high] - parts.ys[low]))


@inner
def _mapped(parts: Parts, part: int, sign: float, number: float) -> float:
    """Return the value of a part's maps, for a sum with this sign."""
    found = sign * number
    for at in range(parts.first[part], parts.first[part + 1]):
        kind = parts.kind[at]
        if kind == AFFINE:
            found = parts.one[at] * found + parts.two[at]
        elif kind == LOGISTIC:
            found = 1.0 / (1.0 + np.exp(-found))
        elif kind == TABLE:
            found = _between(parts, int(parts.one[at]), int(parts.two[at]), found)
        elif kind == LOGIT:
            found = min(max(found, 0.0), 1.0)
            found = np.log((found + parts.one[at]) / (1.0 - found + parts.one[at]))
        else:
            found = 1.0 if found > 0 else 0.0
    return sign * found


@inner
def combined(parts: Parts, sums: Sums, side: int) -> tuple[float, float]:
    """Add up the parts of v, side 0, or of a counterpart, side 1; return the margin's bounds."""
    n = len(parts.parent)
    most, least, weight = sums.most[side], sums.least[side], sums.weight[side]
    sign = parts.sign if side == 0 else -parts.sign
    for part in range(n - 1):
        top, bottom = most[part] + parts.slack[part], least[part] - parts.slack[part]
        one, other = _mapped(parts, part, sign, top), _mapped(parts, part, sign, bottom)
        most[parts.parent[part]] += max(one, other)
        least[parts.parent[part]] += min(one, other)
        weight[part] = abs(one - other) / (top - bottom) if top > bottom else 0.0
    for part in range(n - 2, -1, -1):
        weight[part] *= weight[parts.parent[part]]
    return most[n - 1], least[n - 1]


@inner
def furthest_apart(parts: Parts, sums: Sums) -> float:
    """Return how far the margin of v may lie above that of the counterpart, once both are added."""
    n = len(parts.parent)
    for part in range(n - 1):
        if not sums.differ[part]:
            continue
        slack, sign = parts.slack[part], parts.sign
        own = (
            _mapped(parts, part, sign, sums.most[0, part] + slack),
            _mapped(parts, part, sign, sums.least[0, part] - slack),
        )
        other = (
            _mapped(parts, part, -sign, sums.most[1, part] + slack),
            _mapped(parts, part, -sign, sums.least[1, part] - slack),
        )
        apart = max(own[0], own[1]) + max(other[0], other[1])
        if parts.steepest[part] < np.inf:
            apart = min(apart, parts.steepest[part] * max(sums.apart[part] + 2 * slack, 0.0))
        sums.apart[parts.parent[part]] += apart
        sums.differ[parts.parent[part]] = True
    return float(sums.apart[n - 1])
