"""Which classes a claim forbids to each member of I(v), by D(y, f(v')) ≤ K·d(v, v')."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.bounds.network import LayeredNetwork
    from rafair.fairness import Lipschitz
    from rafair.problem import Counterparts

__all__ = ["Contest", "Demands"]


@dataclass(frozen=True, eq=False)
class Demands:
    """The classes that nobody in I(v) may get for v to be decided as y, accurately and fairly.

    The larger K·d(v, v') is, the fewer classes are forbidden to v': always the ones farthest from
    y. With the discrete D these are all classes but y, or none. d involves sensitive columns only,
    which δ does not change, so that a demand holds for every δ alike.

    Attributes
    ----------
    condition : Lipschitz
    classes : Tensor of int64, shape (n, k)
        All classes, from the farthest from y to the nearest; y is the last.
    counts : Tensor of int64, shape (n, m)
        How many of them are forbidden to each combination of the grid, from the first on.
    grid : Tensor, shape (m, s), in x's type
        The sensitive values of the combinations.
    same : Tensor of bool, shape (n, m)
        Which combination is exactly v's own.
    """

    condition: Lipschitz
    classes: Tensor
    counts: Tensor
    grid: Tensor
    same: Tensor

    @classmethod
    def of(
        cls, condition: Lipschitz, x: Tensor, y: Tensor, counterparts: Counterparts, k: int
    ) -> Demands:
        """Work out what a condition demands around v = x, (n, d), of k classes.

        Raises
        ------
        InvalidInput
            If d is a function, or D of a class and itself is not 0.
        """
        if not isinstance(condition.d, str):
            raise InvalidInput(
                "certificates need d by name, l1, l2 or linf: a function of v and v' may change "
                "with the features that Δ moves"
            )
        apart = condition.apart(y.unsqueeze(1), torch.arange(k, device=y.device))
        own = y.unsqueeze(1)
        if bool((apart.gather(1, own) != 0).any()):
            raise InvalidInput("certificates need a D that is 0 for two equal classes")
        order = apart.to(torch.float64).scatter(1, own, -1.0)
        classes = order.argsort(dim=1, descending=True, stable=True)
        shape, grid = (-1, len(counterparts)), counterparts.grid.to(x.device, x.dtype)
        counts = [
            (apart[block, None, :] > condition.allowed(x[block], counterparts)[..., None]).sum(2)
            for block in counterparts.blocks(len(x))
        ]
        wide = torch.cat(counts).expand(shape)
        values = x[:, list(counterparts.columns)]
        same = torch.ones_like(wide, dtype=torch.bool)
        for column in range(grid.shape[1]):
            same &= values[:, column, None] == grid[None, :, column]
        return cls(condition, classes, wide, grid, same)

    @property
    def all_but_one(self) -> int:
        """How many classes are forbidden to v itself: all but y."""
        return self.classes.shape[1] - 1

    def count(self, values: Tensor, owner: Tensor, themselves: Tensor) -> Tensor:
        """Return how many classes are forbidden to some people, (b,).

        Parameters
        ----------
        values : Tensor, shape (b, s), in x's type
            Their sensitive values, a combination of the grid unless they are v.
        owner : Tensor of int64, shape (b,)
        themselves : Tensor of bool, shape (b,)
            Who is v itself.
        """
        if self.condition.K == 0:
            found = self.counts[owner, 0]
        else:
            row = (values.unsqueeze(1) == self.grid).all(dim=2).to(torch.int8).argmax(dim=1)
            found = self.counts[owner, row]
        return torch.where(themselves, self.all_but_one, found)

    def forbid(self, decided: Tensor, owner: Tensor, count: Tensor) -> Tensor:
        """Tell which of these classes, (b,), are among the first ``count`` of their owners."""
        place = (self.classes[owner] == decided.unsqueeze(1)).to(torch.int8).argmax(dim=1)
        return place < count

    def lead(self, scores: Tensor, owner: Tensor, count: Tensor) -> Tensor:
        """Return by how much a forbidden class leads all allowed ones, (b, m), float64.

        Parameters
        ----------
        scores : Tensor, shape (b, m, k)
        owner : Tensor of int64, shape (b,)
        count : Tensor of int64, shape (b, m)
            How many classes are forbidden to each person; without any, the lead is −∞.
        """
        ranked = self.classes[owner].unsqueeze(1).expand(scores.shape)
        ranked = scores.to(torch.float64).gather(2, ranked)
        place = torch.arange(ranked.shape[2], device=count.device)
        forbidden = place < count.unsqueeze(2)
        allowed = ranked.masked_fill(forbidden, -torch.inf).amax(dim=2)
        return ranked.masked_fill(~forbidden, -torch.inf).amax(dim=2) - allowed

    def sides(self, owner: Tensor, n_forbidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the allowed and the forbidden classes of boxes, (b, ·) each; some twice."""
        count, ranked = n_forbidden.unsqueeze(1), self.classes[owner]
        place = torch.arange(ranked.shape[1], device=count.device)
        fewest = most = self.all_but_one
        if len(count):
            fewest, most = (int(end) for end in torch.aminmax(count))
        forbidden = torch.where(place < count, ranked, ranked[:, :1])[:, :most]
        allowed = torch.where(place < count, ranked[:, -1:], ranked)[:, fewest:]
        return allowed, forbidden


@dataclass(frozen=True, eq=False)
class Contest:
    """At n points, the allowed and the forbidden class with the largest score.

    Attributes
    ----------
    allowed, forbidden : Tensor of int64, shape (n,)
    lead : Tensor, shape (n,), float64
        How much larger the score of the forbidden class is.
    """

    allowed: Tensor
    forbidden: Tensor
    lead: Tensor

    @classmethod
    def at(cls, points: Tensor, sides: tuple[Tensor, Tensor], network: LayeredNetwork) -> Contest:
        """Compare the scores of the two sides, see ``Demands.sides``, at some points, (n, d)."""
        scores = network.scores(points)
        (allowed, best), (forbidden, rival) = (_largest(scores, side) for side in sides)
        return cls(allowed, forbidden, rival - best)


def _largest(scores: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Return which of these classes, (n, ·), has the largest score, and the score."""
    largest, at = scores.gather(1, classes).max(dim=1)
    return classes.gather(1, at.unsqueeze(1)).squeeze(1), largest
