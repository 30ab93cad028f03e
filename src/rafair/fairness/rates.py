"""Shares of instances, each with a 95 % interval."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["Rates", "rates", "wilson"]

Rates: TypeAlias = "dict[str, float | dict[str, list[float]]]"


def rates(events: Mapping[str, Tensor]) -> Rates:
    """Return the share of true entries of each event, with Wilson's 95 % interval under ``"ci"``.

    Parameters
    ----------
    events : mapping of str to bool Tensor, shape (n,)

    Returns
    -------
    dict
        The share of each event by its name, and under ``"ci"`` the [low, high] of each event.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212.
    """
    shares: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    for name, happened in events.items():
        count, n = int(happened.sum()), len(happened)
        shares[name] = count / n
        intervals[name] = wilson(count, n)
    return {**shares, "ci": intervals}


def wilson(count: int, n: int, level: float = 0.95) -> list[float]:
    """Return Wilson's interval [low, high] for ``count`` events in ``n``; see ``rates``."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, pull = count / n, z * z / n
    centre = (share + pull / 2) / (1 + pull)
    half = z / (1 + pull) * (share * (1 - share) / n + pull / n / 4) ** 0.5
    return [0.0 if count == 0 else centre - half, 1.0 if count == n else centre + half]
