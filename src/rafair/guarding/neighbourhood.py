"""Points near a person, some for each member of I(v), at which a consensus asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.problem.noise import Noise

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.problem import PerturbationSpace

__all__ = ["Neighbourhood"]


@dataclass(frozen=True)
class Neighbourhood:
    """Moves each member of I(v) to other points within Δ, the same way for every v.

    The directions come from a counter-based generator and do not depend on v. So the consensus is a
    fixed function of v, whose gradient hides nothing from an attack.

    Parameters
    ----------
    space : PerturbationSpace
        Δ.
    random_state : int
    points : int
        For each member.
    """

    space: PerturbationSpace
    random_state: int = 0
    points: int = 1

    def moved(self, rows: Tensor, n: int) -> Tensor:
        """Return possible points of Δ around m members of each of n people.

        Parameters
        ----------
        rows : Tensor, shape (n · m, d)
        n : int

        Returns
        -------
        Tensor, shape (n · m · points, d)
            Those of the first member come first.
        """
        rows = rows.repeat_interleave(self.points, 0)
        low, high = self.space.bounds(rows)
        m, d = len(rows) // n, rows.shape[1]
        origin = torch.zeros(1, 1, dtype=torch.float64)
        noise = Noise.of(origin, torch.zeros(1, dtype=torch.int64), self.random_state)
        share = noise.uniform(0, m * d).view(1, m, d).to(rows)
        reach = self.space.reach(rows[:1])
        shifted = rows.view(n, m, d) + (2 * share - 1) * reach
        points = torch.minimum(torch.maximum(shifted.view_as(rows), low), high)
        return self.space.round(points, rows)

    def __repr__(self) -> str:
        limits = [vector.tolist() for vector in self.space.vectors]
        return f"Neighbourhood({limits}, {self.random_state}, {self.points})"
