"""Median regression of a loss over the steps of an attack: does it rise or fall?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["median_slopes"]

# Number of residuals computed at once: 32 MiB in float64.
CHUNK = 1 << 22
# Two sums of residuals that differ by less than this share are equal. Of lines with equal sums, the
# one with the smallest slope is chosen.
EQUAL = 1e-12


def median_slopes(values: Tensor) -> Tensor:
    """Fit a median regression line to each series against k = 0, 1, 2, …, and return its slope.

    The slope is β̂₁ of arg min over β of Σ |lₖ − β₀ − β₁ k|. One of the minima is a line through two
    of the points, so all such lines are tried. This is exact; a linear program would return a slope
    of 0 for losses below its tolerance.

    Parameters
    ----------
    values : Tensor, shape (steps, n), float64
        A series lₖ in each column, with at least two steps.

    Returns
    -------
    Tensor, shape (n,), float64
        Units of ``values`` per step.

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
