"""Whose scores a consensus joins: the same people, whichever of them asks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.schema.gaps import is_missing

if TYPE_CHECKING:
    from rafair.problem import Counterparts

__all__ = ["Members"]


@dataclass(frozen=True, eq=False)
class Members:
    """The people who are asked for everyone in I(v), in the order of the grid.

    They depend on v's features that are not sensitive, so that they are the same for all of I(v).
    Where people are comparable only if they are near each other (``within``), everyone who is
    connected by a chain of comparable people is asked: whoever treats neighbours alike treats the
    whole chain alike. v's own combination is asked about only if it is in the grid.

    Attributes
    ----------
    counterparts : Counterparts
    """

    counterparts: Counterparts

    @cached_property
    def everyone(self) -> Counterparts:
        """All combinations, near or not."""
        far = (math.inf,) * len(self.counterparts.columns)
        return replace(self.counterparts, within=far)

    @cached_property
    def _axes(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """For each sensitive column its values, float64, and the number of the chain of each."""
        pairs = zip(self.counterparts.grid.T, self.counterparts.within, strict=True)
        found = []
        for column, width in pairs:
            values = torch.unique(column)
            gaps = values.diff() > width
            found.append((values, torch.cat([gaps[:1] & False, gaps]).long().cumsum(0)))
        return tuple(found)

    def chains(self, people: Tensor) -> Tensor:
        """Return in which chain each sensitive value lies, shape (n, s), int64.

        Parameters
        ----------
        people : Tensor, shape (n, d), unit space
            A value outside the grid belongs to the chain of the nearest one.
        """
        found = []
        for column, (values, chain) in zip(self.counterparts.columns, self._axes, strict=True):
            own = people[:, column].to(torch.float64)
            ends = values.to(own.device)
            above = torch.searchsorted(ends, own.contiguous()).clamp_max(len(ends) - 1)
            below = (above - 1).clamp_min(0)
            is_below = (own - ends[below]).abs() <= (ends[above] - own).abs()
            found.append(chain.to(own.device)[torch.where(is_below, below, above)])
        return torch.stack(found, dim=1)

    @cached_property
    def _chains_of_grid(self) -> Tensor:
        columns = list(self.counterparts.columns)
        people = self.counterparts.grid.new_zeros(len(self.counterparts), max(columns) + 1)
        people[:, columns] = self.counterparts.grid
        return self.chains(people)

    def representative(self, x: Tensor) -> Tensor:
        """Return the first combination of v's chain with v's other features, shape (n, d).

        It is the same, bit for bit, for everybody in I(v). A missing cell that counterparts keep
        stays missing.
        """
        first = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        if any(bool(chain[-1] > 0) for _, chain in self._axes):
            first = self._alike(x).to(torch.int8).argmax(dim=1)
        return self.everyone.take(x, first)

    def _alike(self, x: Tensor) -> Tensor:
        """Tell which combinations lie in v's chains, shape (n, m), bool."""
        own, grid = self.chains(x), self._chains_of_grid.to(x.device)
        alike = torch.ones(len(x), len(grid), dtype=torch.bool, device=x.device)
        for place, column in enumerate(self.counterparts.columns):
            stays = column in self.counterparts.kept
            missing = is_missing(x[:, column, None]) if stays else False
            alike &= (own[:, place, None] == grid[None, :, place]) | missing
        return alike

    def asked(self, representative: Tensor) -> Tensor:
        """Tell which combinations are asked, shape (n, m), bool; at least one of each row.

        Where relations exclude every combination, none is left out.
        """
        alike = self._alike(representative)
        possible = alike & self.everyone.valid(representative)
        return torch.where(possible.any(dim=1, keepdim=True), possible, alike)

    def covers(self, x: Tensor, counterparts: Counterparts) -> Tensor:
        """Tell for whom everyone in another I(v) gets v's own answer, shape (n,), bool."""
        found = []
        for block in counterparts.blocks(len(x)):
            people = counterparts.expand(x[block])
            own = self.representative(x[block]).unsqueeze(1)
            same = self.representative(people.flatten(0, 1)).view_as(people) == own
            found.append((same.all(dim=2) | ~counterparts.valid(x[block])).all(dim=1))
        return torch.cat(found)
