"""Shares of instances, each with its 95 % interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["Rates", "rates"]

Rates: TypeAlias = "dict[str, float | dict[str, list[float]]]"


def rates(events: Mapping[str, Tensor]) -> Rates:
    """Return the share of true entries of each event, with Wilson's 95 % interval under ``"ci"``.

    Parameters
    ----------
    events : mapping of str to bool Tensor, shape (n,).

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212.
    """
    shares: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    for name, happened in events.items():
        count, n = int(happened.sum()), len(happened)
        low, high = binomtest(count, n).proportion_ci(0.95, method="wilson")
        shares[name] = count / n
        intervals[name] = [float(low), float(high)]
    return {**shares, "ci": intervals}
