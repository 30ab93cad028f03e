"""Shares of instances, each with a 95 % interval."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["Rates", "balanced_rates", "rates", "wilson"]

# Shares that differ less are equal, up to rounding.
EQUAL = 1e-12
Rates: TypeAlias = "dict[str, float | dict[str, list[float]]]"


def rates(events: Mapping[str, Tensor]) -> Rates:
    """Return the share of true entries of each event, with Wilson's 95 % interval under ``"ci"``.

    Parameters
    ----------
    events : mapping of str to Tensor, shape (n,) or (n, t), bool, or float64 in [0, 1]
        With t entries for each of n seeds, the entries of one seed are not independent. The
        interval then takes p (1 − p) / v for the number of entries, at least n and at most n·t; v
        is the variance of the share p, estimated from the shares of the n seeds. Entries that are
        shares themselves are averaged; their interval has no such upper limit of entries.

    Returns
    -------
    dict
        The share of each event by its name, and under ``"ci"`` the [low, high] of each event.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212; for several entries per seed the
    effective sample size of Kish, Survey Sampling (1965), section 8.2.
    """
    shares: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    for name, happened in events.items():
        count, whole = happened.sum().item(), happened.numel()
        shares[name] = count / whole
        size = _effective_size(happened)
        intervals[name] = wilson(count * size / whole, size)
    return {**shares, "ci": intervals}


def balanced_rates(events: Mapping[str, Tensor], y: Tensor) -> Rates:
    """Return the mean over the classes in y of the share of true entries, in the form of ``rates``.

    A model that always answers with one of k classes has 1/k at most, however many people have
    that class.

    Parameters
    ----------
    events : mapping of str to Tensor, shape (n,), bool
    y : Tensor of int64, shape (n,)
        Ground truth.

    Notes
    -----
    The mean weighs a person of a class with n_c members by 1/(k·n_c). The interval is Wilson's for
    the effective sample size of weighted entries, k²/Σ(1/n_c) (Kish, Survey Sampling, 1965,
    section 11.7).
    """
    _, place, sizes = torch.unique(y, return_inverse=True, return_counts=True)
    k = len(sizes)
    size = k * k / float((1 / sizes.double()).sum())
    weights = 1 / (k * sizes.double())[place]
    shares = {name: float(weights[happened].sum()) for name, happened in events.items()}
    shares = {name: 1.0 if bool(events[name].all()) else share for name, share in shares.items()}
    return {**shares, "ci": {name: wilson(share * size, size) for name, share in shares.items()}}


def _effective_size(happened: Tensor) -> float:
    """Return the number of independent entries that would be as informative; see ``rates``."""
    is_share = happened.is_floating_point()
    n, whole = len(happened), math.inf if is_share else happened.numel()
    if whole == n:
        return n
    of_seed = happened.double().reshape(n, -1).mean(dim=1)
    if float(of_seed.max() - of_seed.min()) < EQUAL:
        return n
    share = float(of_seed.mean())
    variance = float(of_seed.var(correction=0)) / n
    return min(max(share * (1 - share) / variance, n), whole)


def wilson(count: float, n: float, level: float = 0.95) -> list[float]:
    """Return Wilson's interval [low, high] for ``count`` events in ``n``; see ``rates``."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, pull = count / n, z * z / n
    centre = (share + pull / 2) / (1 + pull)
    half = z / (1 + pull) * (share * (1 - share) / n + pull / n / 4) ** 0.5
    return [0.0 if count == 0 else centre - half, 1.0 if count == n else centre + half]
