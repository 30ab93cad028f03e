"""Quantile regression of a trend: does the median of a loss rise or fall?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["median_slopes"]

# Numbers per chunk of residuals: a few dozen MiB.
CHUNK = 1 << 22
# Sums of residuals that differ by less than this share are equal; of such lines the flattest wins.
EQUAL = 1e-12


def median_slopes(values: Tensor) -> Tensor:
    """Fit a line through the median of each series against 0, 1, 2, …; return its slope.

    β̂₁ of arg min over β of Σ |lₖ − β₀ − β₁ k|. A minimum is attained on a line through two of the
    points, so all of them are tried: exact, also where losses are so small that the tolerance of a
    linear program would call a slope zero.

    Parameters
    ----------
    values : Tensor, shape (steps, n), float64; at least two steps.

    Returns
    -------
    Tensor, shape (n,), float64.

    Source: Koenker and Hallock, J. Econ. Perspect. 15(4), 2001; Equations 8 and 9 of Li et al.,
    arXiv:2404.01356v1.
    """
    steps = len(values)
    first, second = torch.triu_indices(steps, steps, offset=1, device=values.device)
    time = torch.arange(steps, dtype=values.dtype, device=values.device)
    chunk = max(1, CHUNK // (len(first) * steps))
    slopes = []
    for series in torch.split(values, chunk, dim=1):
        slope = (series[second] - series[first]) / (second - first).unsqueeze(1)
        start = series[first] - slope * first.unsqueeze(1)
        lines = start.unsqueeze(1) + slope.unsqueeze(1) * time.view(1, -1, 1)
        misfit = (series.unsqueeze(0) - lines).abs().sum(dim=1)
        best = misfit <= misfit.amin(dim=0) * (1 + EQUAL)
        flattest = slope.abs().masked_fill(~best, torch.inf).argmin(dim=0)
        slopes.append(slope.gather(0, flattest.unsqueeze(0)).squeeze(0))
    return torch.cat(slopes)
