"""The difference of two rates of the same people, with a 95 % interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from rafair.fairness.rates import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Paired", "paired_difference"]


@dataclass(frozen=True)
class Paired:
    """How a rate of n people changed.

    Attributes
    ----------
    before, after : float
        The rate, in [0, 1].
    difference : float
        ``after - before``.
    low, high : float
        Its 95 % interval, in [-1, 1].
    """

    before: float
    after: float
    difference: float
    low: float
    high: float


def paired_difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> Paired:
    """Compare a rate of the same people before and after.

    Parameters
    ----------
    before, after : array of float64, shape (n,), in [0, 1]
        Person by person, in the same order: 1 where the event happened, 0 where it did not, or a
        share.

    Returns
    -------
    Paired
        Of events the interval is Newcombe's method 10; of shares it is that of the mean of the n
        differences, 1.96 standard errors to both sides.

    Source: Newcombe, Improved confidence intervals for the difference between binomial proportions
    based on paired data, Stat. Med. 17 (1998), 2635-2650, method 10.
    """
    first, second = float(before.mean()), float(after.mean())
    difference = second - first
    both = np.concatenate([before, after])
    low, high = _newcombe(before, after) if np.isin(both, (0, 1)).all() else _normal(before, after)
    return Paired(first, second, difference, max(low, -1.0), min(high, 1.0))


def _newcombe(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    n, b, a = len(before), float(before.mean()), float(after.mean())
    (b_low, b_high), (a_low, a_high) = wilson(b * n, n), wilson(a * n, n)
    correlation = _correlation(before, after)
    return (
        a - b - _combined(a - a_low, b_high - b, correlation),
        a - b + _combined(a_high - a, b - b_low, correlation),
    )


def _combined(one: float, other: float, correlation: float) -> float:
    """Return the half width for two half widths; the square root of zero may be rounded below."""
    return math.sqrt(max(one * one - 2 * correlation * one * other + other * other, 0.0))


def _correlation(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return Newcombe's φ of the fourfold table, with his correction for continuity."""
    n = len(before)
    both, neither = float((before * after).sum()), float(((1 - before) * (1 - after)).sum())
    lost, gained = float((before * (1 - after)).sum()), float(((1 - before) * after).sum())
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if margins == 0:
        return 0.0
    product = both * neither - lost * gained
    corrected = max(product - n / 2, 0.0) if product > 0 else product
    return corrected / math.sqrt(margins)


def _normal(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    changes = after - before
    if len(changes) < 2:
        return -1.0, 1.0  # one difference does not say how far differences vary
    half = NormalDist().inv_cdf(0.975) * float(changes.std(ddof=1)) / math.sqrt(len(changes))
    return float(changes.mean()) - half, float(changes.mean()) + half
