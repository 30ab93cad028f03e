"""Bounds of the mean of a ReLU network's scores over a grid of sensitive values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.bounds.bound import Bound
from rafair.bounds.crown import linear_bound
from rafair.bounds.network import no_pattern

if TYPE_CHECKING:
    from rafair.bounds.network import LayeredNetwork
    from rafair.bounds.rounding import Rounding

__all__ = ["Average"]

# So many neighbouring values of the longest axis are bounded together at first.
TOGETHER = 8
# Boxes of one person's members that are bounded at once.
ROWS = 1 << 15
# Roundings of a term of a mean beside those of its sum: products with radii, corners, halves.
ROUNDINGS = 16


@dataclass(frozen=True, eq=False)
class _Ranges:
    """Parts of the grid: boxes of sensitive values, and how the values in them are spread."""

    low: Tensor  # (c, s)
    high: Tensor
    mean: Tensor  # (c, s), of the combinations in the part
    weight: Tensor  # (c,), their share of the grid

    @classmethod
    def of(cls, grid: Tensor, together: int) -> _Ranges:
        """Split a grid, (m, s), into runs of at most so many values of its longest axis."""
        longest = max(range(grid.shape[1]), key=lambda at: len(torch.unique(grid[:, at])))
        others = [at for at in range(grid.shape[1]) if at != longest]
        rank = torch.zeros(len(grid), dtype=torch.int64)
        if others:  # torch.unique refuses rows without columns
            rank = torch.unique(grid[:, others], dim=0, return_inverse=True)[1]
        order = grid[:, longest].argsort(stable=True)
        order = order[rank[order].argsort(stable=True)]
        group = rank[order]
        starts = torch.cat([group[:1] == group[:1], group.diff() != 0]).nonzero()[:, 0]
        place = torch.arange(len(grid)) - starts[group]
        part = group * len(grid) + place // together
        _, part, count = torch.unique(part, return_inverse=True, return_counts=True)
        values, n = grid[order], len(count)
        index = part.unsqueeze(1).expand_as(values)
        start = values.new_zeros(n, values.shape[1])
        low, high, mean = (
            start.scatter_reduce(0, index, values, how, include_self=False)
            for how in ("amin", "amax", "mean")
        )
        return cls(low, high, mean, count.to(values) / len(grid))


@dataclass(frozen=True, eq=False)
class Average:
    """The mean z̄ of a network's scores over a grid, as a function of the other columns.

    The linear lower bounds of the margins of the parts of the grid, each taken at the mean of the
    sensitive values in its part, add up to a linear lower bound of the mean margin.

    Attributes
    ----------
    network : LayeredNetwork
        With ReLU only.
    columns : tuple of int
    grid : Tensor, shape (m, s), float64
    """

    network: LayeredNetwork
    columns: tuple[int, ...]
    grid: Tensor

    @cached_property
    def _coarse(self) -> _Ranges:
        # Rows that are looked up lie on no line: what ranges of codes lose, no halving gives back.
        looked_up = any(column in self.columns for column, *_ in self.network.cuts)
        return self._fine if looked_up else _Ranges.of(self.grid, TOGETHER)

    @cached_property
    def _fine(self) -> _Ranges:
        return _Ranges.of(self.grid, 1)

    def bound(
        self,
        low: Tensor,
        high: Tensor,
        sides: tuple[Tensor, Tensor],
        raise_from: Tensor,
        enough: Tensor,
    ) -> Bound:
        """Bound the mean margins z̄_y − z̄_j over n boxes, j all rivals of y; see ``linear_bound``.

        A bound above ``raise_from`` and not above ``enough`` is computed once more, with each
        combination of the grid bounded alone.

        Parameters
        ----------
        low, high : Tensor, shape (n, d), float64
            The sensitive columns are not read.
        sides : (Tensor of int64, shape (n,), Tensor of int64, shape (n, r))
            y, and the classes j.
        raise_from, enough : Tensor, shape (n,)
        """
        found = self._by(self._coarse, low, high, sides)
        loose = ((found.lower <= enough) & (found.lower > raise_from)).nonzero()[:, 0]
        if not len(loose) or len(self._fine.weight) == len(self._coarse.weight):
            return found
        labels, rivals = sides
        better = self._by(self._fine, low[loose], high[loose], (labels[loose], rivals[loose]))
        gain = found.gain.index_copy(0, loose, better.lower - found.lower[loose])
        names = ("lower", "slope", "plain_slope", "sensitivity", "others")
        parts = {n: getattr(found, n).index_copy(0, loose, getattr(better, n)) for n in names}
        return replace(found, gain=gain, **parts)

    def _by(
        self, ranges: _Ranges, low: Tensor, high: Tensor, sides: tuple[Tensor, Tensor]
    ) -> Bound:
        size = max(1, ROWS // len(ranges.weight) // sides[1].shape[1])
        pieces = [
            self._piece(ranges, low[some], high[some], (sides[0][some], sides[1][some]))
            for some in torch.split(torch.arange(len(low), device=low.device), size)
        ]
        names = ("lower", "slope", "plain_slope", "sensitivity", "gain", "others")
        parts = {name: torch.cat([getattr(piece, name) for piece in pieces]) for name in names}
        return Bound(pattern=(), **parts)

    def _piece(
        self, ranges: _Ranges, low: Tensor, high: Tensor, sides: tuple[Tensor, Tensor]
    ) -> Bound:
        labels, rivals = sides
        (n, d), c, r = low.shape, len(ranges.weight), rivals.shape[1]
        low, high, spread = self._members(ranges, low, high)
        repeated = labels.repeat_interleave(c * r), rivals.repeat_interleave(c, 0).view(-1, 1)
        low, high, spread = (end.repeat_interleave(r, 0) for end in (low, high, spread))
        parts = linear_bound(
            self.network, low, high, repeated[0], no_pattern(self.network, len(low)),
            rivals=repeated[1],
        )  # fmt: skip
        radius, felt = (high - low) / 2, parts.sensitivity
        middle = parts.lower + (parts.slope.abs() * radius).sum(1) + (parts.slope * spread).sum(1)
        weight = ranges.weight.view(1, c, 1)
        const = (middle.view(n, c, r) * weight).sum(1)
        slope, felt = (
            (each.view(n, c, r, d) * weight.unsqueeze(3)).sum(1) for each in (parts.slope, felt)
        )
        slope[:, :, list(self.columns)] = 0
        radius = radius.view(n, c, r, d)[:, 0]
        lower = const - (slope.abs() * radius).sum(2)
        return _worst(lower, slope, felt)

    def _members(self, ranges: _Ranges, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the boxes of all parts, and the way from their middle to the mean, (n · c, d)."""
        c, columns = len(ranges.weight), list(self.columns)
        low, high = low.repeat_interleave(c, 0), high.repeat_interleave(c, 0)
        n, spread = len(low) // c, torch.zeros_like(low)
        low[:, columns], high[:, columns] = ranges.low.repeat(n, 1), ranges.high.repeat(n, 1)
        off = ranges.mean - (ranges.low + ranges.high) / 2
        spread[:, columns] = off.repeat(n, 1)
        return low, high, spread

    def rounding(self, rounding: Rounding, low: Tensor, high: Tensor) -> Tensor:
        """Bound what taking means adds to the rounding errors of a margin and its bound, (n,).

        A mean is a sum of m products in float64, of numbers that are no larger than T; see
        ``_bound_errors`` in ``bounds/rounding.py`` for T.

        Parameters
        ----------
        low, high : Tensor, shape (n, d), float64
            Corners of boxes that hold everybody in I(v) × Δ.
        """
        low, high = self.network.inside(low, high)
        terms = 2 * torch.maximum(low.abs(), high.abs())
        pairs = zip(self.network.weights, self.network.biases, strict=True)
        for weight, bias in pairs:
            terms = 2 * (terms @ weight.abs().T + bias.abs())
        largest = terms.topk(2, dim=1).values.sum(dim=1) + rounding.bounds
        steps = 2 * (len(self.grid) + low.shape[1] + ROUNDINGS)
        return steps * torch.finfo(torch.float64).eps * largest


def _worst(lower: Tensor, slope: Tensor, felt: Tensor) -> Bound:
    """Return the bound of the rival whose margin has the lowest one, of r rivals each."""
    least = lower.argmin(dim=1, keepdim=True)
    at = least.unsqueeze(2).expand(-1, 1, slope.shape[2])
    lines = slope.gather(1, at)[:, 0]
    own = lower.gather(1, least)[:, 0]
    others = lower.scatter(1, least, torch.inf).amin(dim=1)
    nothing = torch.full_like(own, torch.nan)
    return Bound(own, lines, lines, felt.gather(1, at)[:, 0], (), nothing, others)
