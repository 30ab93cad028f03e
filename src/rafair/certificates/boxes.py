"""Boxes of people: ranges of perturbable values, times ranges of sensitive values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.bounds.network import no_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.demands import Demands
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["POINT", "Boxes", "Values", "hull", "own_boxes", "reach", "root_boxes"]

# A box narrower than this in a feature is not split there: up to rounding, it has one value.
POINT = 1e-9
# Tolerance for the rounding of a multiple of a lattice's spacing, as a share of the spacing.
ON_LATTICE = 1e-6
# A possible value lies within this many ``eps`` of its type from a multiple of the spacing.
NEAR = 4
# What a box has one row of, besides the pattern.
COLUMNS = ("owner", "low", "high", "first", "last", "n_forbidden")


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
    cuts : tuple of (int, Tensor, Tensor)
        Columns, and the neighbouring numbers between which a network looks up something else.
    """

    columns: tuple[int, ...]
    axes: tuple[Tensor, ...]
    spacing: Tensor
    cuts: tuple[tuple[int, Tensor, Tensor], ...] = ()

    @classmethod
    def of(
        cls,
        network: LayeredNetwork,
        x: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> Values:
        """Collect the values in the grid of I(v), rounded to x's type."""
        grid = counterparts.grid.to(x.device, x.dtype).to(torch.float64)
        axes = tuple(torch.unique(column) for column in grid.T)
        return cls(counterparts.columns, axes, _spacing(network, x, space), network.cuts)

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
    n_forbidden : Tensor of int64, shape (n,)
        How many classes the claim forbids to everybody in the box; see ``Demands``.
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        The neurons known to be active or idle in the box; see ``Bound``.
    """

    owner: Tensor
    low: Tensor
    high: Tensor
    first: Tensor
    last: Tensor
    n_forbidden: Tensor
    pattern: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.owner)

    def take(self, index: Tensor) -> Boxes:
        """Return some of the boxes."""
        columns: dict[str, Any] = {name: getattr(self, name)[index] for name in COLUMNS}
        return replace(self, pattern=tuple(signs[index] for signs in self.pattern), **columns)

    @classmethod
    def join(cls, parts: Sequence[Boxes]) -> Boxes:
        """Concatenate boxes."""
        columns: dict[str, Any] = {
            name: torch.cat([getattr(part, name) for part in parts]) for name in COLUMNS
        }
        patterns = zip(*(part.pattern for part in parts), strict=True)
        return replace(parts[0], pattern=tuple(map(torch.cat, patterns)), **columns)

    def halves(self, score: Tensor, values: Values) -> Boxes:
        """Split each box in two along the feature with the largest score.

        A range of sensitive values or of lattice points is split between two neighbouring values,
        and the gap between these, where no person is, belongs to neither half. Any other range is
        split where the network looks up something else, or else in the middle.

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
        for chosen, before, after in values.cuts:
            here = ((column == chosen) & (unit == 0)).nonzero()[:, 0]
            ends = self.low[here, chosen], self.high[here, chosen]
            behind, to = (torch.searchsorted(after, side, right=True) for side in ends)
            here, cut, least = (
                part[behind < to] for part in (here, (behind + to - 1) // 2, ends[0])
            )
            end[here], start[here] = torch.maximum(before[cut], least), after[cut]
        last, first = self.last.clone(), self.first.clone()
        for place, (sensitive, axis) in enumerate(zip(values.columns, values.axes, strict=True)):
            here = (column == sensitive).nonzero()[:, 0]
            cut = (self.first[here, place] + self.last[here, place]) // 2
            last[here, place], first[here, place] = cut, cut + 1
            end[here], start[here] = axis[cut], axis[cut + 1]
        high, low = self.high.clone(), self.low.clone()
        high[row, column], low[row, column] = end, start
        left, right = replace(self, high=high, last=last), replace(self, low=low, first=first)
        return Boxes.join([left, right])


def root_boxes(
    network: LayeredNetwork,
    x: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    demands: Demands,
) -> tuple[Boxes, Values]:
    """Return boxes that together contain everybody in I(v) × Δ to whom a class is forbidden.

    If I(v) is a full product of values and the same is demanded of everyone, an instance has one
    box. If only the former, it has one for each range of neighbouring values of the column with the
    most values, otherwise one for each combination. Unless a box holds v itself and forbids every
    class but y, v has one more box. The boxes also contain combinations that a relation excludes
    at some points of Δ only; a proof that covers more people than necessary is still a proof.
    """
    low, high = reach(x, space, network)
    values = Values.of(network, x, counterparts, space)
    # v itself is judged even if its own combination breaks a relation.
    valid = counterparts.valid(x, space.movable(x)) | counterparts.is_self(x)
    counts = torch.where(valid, demands.counts, 0)
    owner, first, last, n_forbidden = _ranges(counts, values, demands.grid.to(torch.float64))
    parts = [_boxes(network, owner, low[owner], high[owner], first, last, n_forbidden, values)]
    alone = ~(demands.same & (counts == demands.all_but_one)).any(dim=1)
    parts.append(_alone(network, alone.nonzero()[:, 0], low, high, values))
    return Boxes.join(parts), values


def own_boxes(
    network: LayeredNetwork, x: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> tuple[Boxes, Values]:
    """Return one box for each instance: Δ around v, without v's counterparts."""
    low, high = reach(x, space, network)
    values = Values.of(network, x, counterparts, space)
    return _alone(network, torch.arange(len(x), device=x.device), low, high, values), values


def reach(
    x: Tensor, space: PerturbationSpace, network: LayeredNetwork | None = None
) -> tuple[Tensor, Tensor]:
    """Return the corners of one box around Δ, each (n, d), float64.

    Where a network looks something up, a number that is rounded to x's type may look up something
    else. Such a column's box has the ends that Δ has in this type, too.
    """
    low, high = space.hull(x.to(torch.float64))
    if network is None or not network.cuts:
        return low, high
    columns = [column for column, *_ in network.cuts]
    is_free = _spacing(network, x, space)[:, columns] == 0
    least, most = (end[:, columns].to(torch.float64) for end in space.bounds(x))
    least, most = torch.minimum(low[:, columns], least), torch.maximum(high[:, columns], most)
    low[:, columns] = torch.where(is_free, least, low[:, columns])
    high[:, columns] = torch.where(is_free, most, high[:, columns])
    return low, high


def hull(
    x: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    network: LayeredNetwork | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the corners of one box around everybody in I(v) × Δ, each (n, d), float64."""
    low, high = reach(x, space, network)
    columns = list(counterparts.columns)
    least, greatest = counterparts.hull(x)
    low[:, columns] = torch.minimum(low[:, columns], least)
    high[:, columns] = torch.maximum(high[:, columns], greatest)
    return low, high


def _spacing(network: LayeredNetwork, x: Tensor, space: PerturbationSpace) -> Tensor:
    """Return the spacing of Δ's lattice, (n, d), but 0 where rounding decides what is looked up.

    That is where something else is looked up right beside a multiple of the spacing.
    """
    spacing, near = space.spacing(x.to(torch.float64)), NEAR * torch.finfo(x.dtype).eps
    for column, _, after in network.cuts:
        unit = spacing[:, column, None].clamp_min(near)
        off = (torch.round(after / unit) * unit - after).abs()
        spacing[:, column] *= (off > near).all(dim=1)
    return spacing


def _ranges(counts: Tensor, values: Values, grid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cover the combinations with a positive count by ranges, of one count each.

    Parameters
    ----------
    counts : Tensor of int64, shape (n, m)
    grid : Tensor, shape (m, s), float64

    Returns
    -------
    owner : Tensor of int64, shape (r,)
    first, last : Tensor of int64, shape (r, s)
        Places on the axes of ``values``.
    n_forbidden : Tensor of int64, shape (r,)
    """
    sizes = [len(axis) for axis in values.axes]
    places = torch.stack(
        [torch.searchsorted(axis, grid[:, at].contiguous()) for at, axis in enumerate(values.axes)],
        dim=1,
    )
    longest = max(range(len(sizes)), key=sizes.__getitem__)
    rank = torch.zeros(len(grid), dtype=torch.int64, device=grid.device)
    for at in sorted(range(len(sizes)), key=lambda at: at == longest):
        rank = rank * sizes[at] + places[:, at]
    if len(torch.unique(rank)) != values.size:  # no full product
        owner, row = counts.nonzero(as_tuple=True)
        return owner, places[row], places[row], counts[owner, row]
    rows = rank.argsort()
    if bool(((counts == counts[:1, :1]) & (counts > 0)).all()):
        everyone = torch.arange(len(counts), device=counts.device)
        first = places[rows[:1]].expand(len(counts), -1)
        last = places[rows[-1:]].expand(len(counts), -1)
        return everyone, first, last, counts[:, 0]
    table = counts[:, rows].view(len(counts), -1, sizes[longest])
    edge = torch.full_like(table[:, :, :1], -1)
    changes = torch.cat([edge, table, edge], dim=2).diff(dim=2) != 0
    owner, other, start = (changes[:, :, :-1] & (table > 0)).nonzero(as_tuple=True)
    *_, end = (changes[:, :, 1:] & (table > 0)).nonzero(as_tuple=True)
    first, last = (places[rows[other * sizes[longest] + at]] for at in (start, end))
    return owner, first, last, table[owner, other, start]


def _alone(
    network: LayeredNetwork, owner: Tensor, low: Tensor, high: Tensor, values: Values
) -> Boxes:
    """Return boxes with one value per sensitive column, so that these are never split."""
    nowhere = torch.zeros(len(owner), len(values.axes), dtype=torch.int64, device=owner.device)
    count = torch.full_like(owner, len(network.biases[-1]) - 1)
    low, high = low[owner], high[owner]
    return Boxes(owner, low, high, nowhere, nowhere, count, no_pattern(network, len(owner)))


def _boxes(
    network: LayeredNetwork,
    owner: Tensor,
    low: Tensor,
    high: Tensor,
    first: Tensor,
    last: Tensor,
    n_forbidden: Tensor,
    values: Values,
) -> Boxes:
    low, high = low.clone(), high.clone()
    for place, (column, axis) in enumerate(zip(values.columns, values.axes, strict=True)):
        low[:, column], high[:, column] = axis[first[:, place]], axis[last[:, place]]
    pattern = no_pattern(network, len(owner))
    return Boxes(owner, low, high, first, last, n_forbidden, pattern)
