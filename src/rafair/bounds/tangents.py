"""Lines below any activation over an interval, as tight as a few steps make them.

A line s · z + c lies below g on [l, u] for every slope s, if c is at most the least value of
g(z) − s · z there. On a part where g is concave, that is taken at an end. On a part where it is
convex, every tangent lies below: the tangent at a point z₀ whose slope is close to s costs little,
wherever z₀ is. So no step of a search for z₀, however rough, makes a line unsound.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.bounds.activations import BESIDE

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.bounds.activations import Activation

__all__ = ["line_below"]

# Slopes that are tried beside that of the middle, and steps towards where g has a slope.
CUTS, STEPS = 3, 4
# A chord between points closer than this has no slope worth computing.
NARROW = 1e-7


def line_below(activation: Activation, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return slopes and offsets of lines below an activation over intervals, in float64.

    The line is highest in the middle of the interval, of all that were tried: the tangent there,
    the chord, and chords between points that the lines before touch on both sides of the middle,
    which converge to the best line (the convex hull of g there).

    Parameters
    ----------
    low, high : Tensor, float64, of one shape
        The intervals' ends, low ≤ high.

    Source: Zhang et al., NeurIPS 2018 (CROWN), Section 3.1, for tangents and chords.
    """
    span, middle = _Span.of(activation, low, high), (low + high) / 2
    tangent = activation.slope(middle)
    slope, (offset, _) = tangent, span.least(tangent)
    left, right = low, high
    for _ in range(CUTS):
        trial = _chord(activation, left, right, tangent)
        least, at = span.least(trial)
        better = least + trial * middle > offset + slope * middle
        slope, offset = torch.where(better, trial, slope), torch.where(better, least, offset)
        is_left = at < middle
        left, right = torch.where(is_left, at, left), torch.where(is_left, right, at)
    return slope, offset


def _chord(activation: Activation, left: Tensor, right: Tensor, otherwise: Tensor) -> Tensor:
    """Return the slope between two points, or another where they are too close."""
    width, rise = right - left, activation.value(right) - activation.value(left)
    slope = torch.where(width > NARROW, rise / width.clamp_min(NARROW), otherwise)
    return slope.clamp(-activation.steepest, activation.steepest)


@dataclass(frozen=True, eq=False)
class _Span:
    """An activation between two ends.

    Attributes
    ----------
    ends : Tensor, shape (e, …)
        The interval's ends, and the bends inside of it (elsewhere an end once more).
    values : Tensor, shape (e, …)
        The activation there.
    parts : tuple of (Tensor, Tensor, float, float)
        For each convex part: where it begins and ends in the interval, and in all.
    """

    activation: Activation
    ends: Tensor
    values: Tensor
    parts: tuple[tuple[Tensor, Tensor, float, float], ...]

    @classmethod
    def of(cls, activation: Activation, low: Tensor, high: Tensor) -> _Span:
        inside = [torch.full_like(low, bend).clamp(low, high) for bend in activation.bends]
        ends = torch.stack([low, high, *inside])
        borders = itertools.pairwise((-math.inf, *activation.bends, math.inf))
        pairs = zip(borders, activation.convex, strict=True)
        parts = tuple(
            (low.clamp_min(start), high.clamp_max(stop), start, stop)
            for (start, stop), convex in pairs
            if convex
        )
        return cls(activation, ends, activation.value(ends), parts)

    def least(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return a number that g(z) − slope · z is never below, and about where it is least."""
        found, place = (self.values - slope * self.ends).min(dim=0)
        at = self.ends.gather(0, place.unsqueeze(0))[0]
        for first, last, start, stop in self.parts:
            touch = self._touching(slope, first, last).clamp(start + BESIDE, stop - BESIDE)
            above = self.activation.slope(touch) - slope
            value = self.activation.value(touch) - slope * touch
            reach = torch.minimum(above * (first - touch), above * (last - touch))
            value = torch.where(first <= last, value + reach, torch.inf)
            at = torch.where(value < found, touch, at)
            found = torch.minimum(found, value)
        return found, at

    def _touching(self, slope: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """Return about where the activation has a slope, between two ends of a convex part."""
        lower, upper = self.activation.slope(first) - slope, self.activation.slope(last) - slope
        for step in range(STEPS):
            point = _between(first, last, lower, upper) if step % 2 == 0 else (first + last) / 2
            here = self.activation.slope(point) - slope
            beyond = here > 0
            last, upper = torch.where(beyond, point, last), torch.where(beyond, here, upper)
            first, lower = torch.where(beyond, first, point), torch.where(beyond, lower, here)
        return _between(first, last, lower, upper)


def _between(first: Tensor, last: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Return where a line through two values is 0, within the two points."""
    share = -lower / (upper - lower).clamp_min(torch.finfo(lower.dtype).tiny)
    return first + share.clamp(0, 1) * (last - first)
