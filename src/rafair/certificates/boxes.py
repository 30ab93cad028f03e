"""Boxes of people: ranges of perturbable values, times ranges of sensitive values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.problem.bounds import no_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.network import ReluNetwork

__all__ = ["POINT", "Boxes", "Values", "own_boxes", "root_boxes"]

# A box narrower than this in a feature is not split there: up to rounding, it has one value.
POINT = 1e-9
# Tolerance for the rounding of a multiple of a lattice's spacing, as a share of the spacing.
ON_LATTICE = 1e-6


@dataclass(frozen=True, eq=False)
class Values:
    """The values of each sensitive column, and the lattice of the other columns.

    Attributes
    ----------
    columns : tuple of int
    axes : tuple of Tensor, float64
        For each sensitive column, its values in increasing order.
    spacing : Tensor, shape (instances, d), float64
        Distance between neighbouring possible values of the other columns; 0 where every value is
        possible.
    """

    columns: tuple[int, ...]
    axes: tuple[Tensor, ...]
    spacing: Tensor

    @classmethod
    def of(cls, counterparts: Counterparts, x: Tensor, space: PerturbationSpace) -> Values:
        """Collect the values in the grid of I(v), rounded to x's type."""
        grid = counterparts.grid.to(x.device, x.dtype).to(torch.float64)
        axes = tuple(torch.unique(column) for column in grid.T)
        return cls(counterparts.columns, axes, space.spacing(x.to(torch.float64)))

    @property
    def size(self) -> int:
        """Number of combinations of all values."""
        return int(torch.tensor([len(axis) for axis in self.axes]).prod())


@dataclass(frozen=True, eq=False)
class Boxes:
    """n boxes, each a piece of one instance's I(v) × Δ.

    Attributes
    ----------
    owner : Tensor of int64, shape (n,)
        Row of the instance that the box belongs to.
    low, high : Tensor, shape (n, d), float64, unit space
        Corners of the box. Sensitive columns have the least and the greatest of their values.
    first, last : Tensor of int64, shape (n, s)
        Positions of these values on their axes; equal if the box has one value of the column.
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        The neurons known to be active or idle in the box; see ``Bound``.
    """

    owner: Tensor
    low: Tensor
    high: Tensor
    first: Tensor
    last: Tensor
    pattern: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, index: Tensor) -> Boxes:
        """Return some of the boxes."""
        return Boxes(
            self.owner[index],
            self.low[index],
            self.high[index],
            self.first[index],
            self.last[index],
            tuple(signs[index] for signs in self.pattern),
        )

    @classmethod
    def join(cls, parts: Sequence[Boxes]) -> Boxes:
        """Concatenate boxes."""
        names = ("owner", "low", "high", "first", "last")
        joined = (torch.cat([getattr(part, name) for part in parts]) for name in names)
        patterns = zip(*(part.pattern for part in parts), strict=True)
        owner, low, high, first, last = joined
        return cls(owner, low, high, first, last, tuple(torch.cat(layer) for layer in patterns))

    def halves(self, score: Tensor, values: Values) -> Boxes:
        """Split each box in two along the feature with the largest score.

        A range of sensitive values or of lattice points is split between two neighbouring values,
        and the gap between these, where no person is, belongs to neither half. Any other range is
        split in the middle.

        Parameters
        ----------
        score : Tensor, shape (n, d)
        values : Values

        Returns
        -------
        Boxes
            The n lower halves, then the n upper halves.
        """
        n = len(self)
        row = torch.arange(n, device=score.device)
        column = score.argmax(dim=1)
        middle = (self.low[row, column] + self.high[row, column]) / 2
        unit = values.spacing[self.owner, column]
        below = torch.floor(middle / torch.where(unit > 0, unit, 1.0) + ON_LATTICE) * unit
        end, start = (
            torch.where(unit > 0, below, middle),
            torch.where(unit > 0, below + unit, middle),
        )
        last, first = self.last.clone(), self.first.clone()
        for place, (sensitive, axis) in enumerate(zip(values.columns, values.axes, strict=True)):
            here = (column == sensitive).nonzero()[:, 0]
            cut = (self.first[here, place] + self.last[here, place]) // 2
            last[here, place], first[here, place] = cut, cut + 1
            end[here], start[here] = axis[cut], axis[cut + 1]
        high, low = self.high.clone(), self.low.clone()
        high[row, column], low[row, column] = end, start
        left = Boxes(self.owner, self.low, high, self.first, last, self.pattern)
        right = Boxes(self.owner, low, self.high, first, self.last, self.pattern)
        return Boxes.join([left, right])


def root_boxes(
    network: ReluNetwork, x: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> tuple[Boxes, Values]:
    """Return boxes that together contain I(v) × Δ of each instance.

    If I(v) is a full product of values, an instance has one box, otherwise one per combination. If
    the grid lacks v's own sensitive values, v itself has one more box. The boxes also contain
    combinations that a relation excludes at some points of Δ only; a proof that covers more people
    than necessary is still a proof.
    """
    low, high = space.hull(x.to(torch.float64))
    values = Values.of(counterparts, x, space)
    everyone = torch.arange(len(x), device=x.device)
    # v itself is judged even if its own combination breaks a relation.
    valid = counterparts.valid(x, space.movable(x)) | counterparts.is_self(x)
    full = values.size == len(counterparts) and bool(valid.all())
    parts = []
    if full:
        first = torch.zeros(len(x), len(values.axes), dtype=torch.int64, device=x.device)
        last = first + torch.tensor([len(axis) - 1 for axis in values.axes], device=x.device)
        parts.append(_boxes(network, everyone, low, high, first, last, values))
    else:
        grid = counterparts.grid.to(x.device, x.dtype).to(torch.float64)
        places = torch.stack(
            [
                torch.searchsorted(axis, grid[:, at].contiguous())
                for at, axis in enumerate(values.axes)
            ],
            dim=1,
        )
        owner, combination = valid.nonzero(as_tuple=True)
        at = places[combination]
        parts.append(_boxes(network, owner, low[owner], high[owner], at, at, values))
    alone = (~counterparts.is_self(x).any(dim=1)).nonzero()[:, 0]
    if len(alone):
        parts.append(_alone(network, alone, low[alone], high[alone], values))
    return Boxes.join(parts), values


def own_boxes(
    network: ReluNetwork, x: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> tuple[Boxes, Values]:
    """Return one box for each instance: Δ around v, without v's counterparts."""
    low, high = space.hull(x.to(torch.float64))
    values = Values.of(counterparts, x, space)
    return _alone(network, torch.arange(len(x), device=x.device), low, high, values), values


def _alone(network: ReluNetwork, owner: Tensor, low: Tensor, high: Tensor, values: Values) -> Boxes:
    """Return boxes with one value per sensitive column, so that these are never split."""
    nowhere = torch.zeros(len(owner), len(values.axes), dtype=torch.int64, device=owner.device)
    return Boxes(owner, low, high, nowhere, nowhere, no_pattern(network, len(owner)))


def _boxes(
    network: ReluNetwork,
    owner: Tensor,
    low: Tensor,
    high: Tensor,
    first: Tensor,
    last: Tensor,
    values: Values,
) -> Boxes:
    low, high = low.clone(), high.clone()
    for place, (column, axis) in enumerate(zip(values.columns, values.axes, strict=True)):
        low[:, column], high[:, column] = axis[first[:, place]], axis[last[:, place]]
    return Boxes(owner, low, high, first, last, no_pattern(network, len(owner)))
