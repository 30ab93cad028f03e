"""The relations between columns that every possible person meets, as one test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema.feature import Feature
    from rafair.schema.relations import Relation

__all__ = ["Conditions"]


@dataclass(frozen=True)
class Conditions:
    """Relations between columns that can be tested on unit-space rows.

    Attributes
    ----------
    features : tuple of Feature, length d
    relations : tuple of Relation
    """

    features: tuple[Feature, ...]
    relations: tuple[Relation, ...]

    def __len__(self) -> int:
        return len(self.relations)

    def met(self, x: Tensor) -> Tensor:
        """Tell which people meet all relations, each value rounded to the nearest possible one.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.

        Returns
        -------
        Tensor of bool, shape (n,)
        """
        return self.each_met(x).all(dim=1)

    def each_met(self, x: Tensor) -> Tensor:
        """Tell which person meets which relation.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.

        Returns
        -------
        Tensor of bool, shape (n, relations)
        """

        def read(place: int) -> Tensor:
            return self.features[place].numbers(x[:, place])

        met = [relation.holds(read) for relation in self.relations]
        return torch.stack(met, dim=1) if met else x.new_zeros(len(x), 0, dtype=torch.bool)

    def met_by(self, x: Tensor, columns: Sequence[int], grid: Tensor) -> Tensor:
        """Tell which people meet all relations after some columns take other values.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.
        columns : sequence of int, length s
        grid : Tensor, shape (m, s), unit space
            Each row is one combination of values for these columns. A missing cell that stays so,
            by the rule *keep*, takes none of them.

        Returns
        -------
        Tensor of bool, shape (n, m)
        """
        spots = {column: place for place, column in enumerate(columns)}

        def read(place: int) -> Tensor:
            feature = self.features[place]
            own = feature.numbers(x[:, place])[:, None]
            if place not in spots:
                return own
            others = feature.numbers(grid[:, spots[place]])[None, :]
            return torch.where(own.isnan(), own, others) if feature.missing == "keep" else others

        met = torch.ones(len(x), len(grid), dtype=torch.bool, device=x.device)
        for relation in self.relations:
            met &= relation.holds(read)
        return met

    def about(self, columns: Sequence[int]) -> Conditions:
        """Return the relations that name at least one of these columns."""
        chosen = set(columns)
        about = tuple(r for r in self.relations if chosen.intersection(r.places))
        return Conditions(self.features, about)

    def apart_from(self, columns: Sequence[int]) -> Conditions:
        """Return the relations that name none of these columns."""
        chosen = set(columns)
        apart = tuple(r for r in self.relations if not chosen.intersection(r.places))
        return Conditions(self.features, apart)

    def spoken_of(self, device: torch.device) -> Tensor:
        """Return which relation names which column, shape (relations, d), bool."""
        table = torch.zeros(len(self), len(self.features), dtype=torch.bool, device=device)
        for row, relation in enumerate(self.relations):
            table[row, list(relation.places)] = True
        return table
