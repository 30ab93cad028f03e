"""Benign perturbations for models without gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.goals import BENIGN
from rafair.problem.searching import Draw, Search, random_search

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.trajectories import AttackResult

__all__ = ["BenignSearch"]


@dataclass(frozen=True)
class BenignSearch:
    """Move each instance, within a Δ of its own, until all of I(v) are decided rightly.

    A random search that lowers the largest margin of v and of the counterparts with the largest
    margins. Scores or labels of the model are enough, and Δ must be bounded. The repair needs the
    true label, as ``Benign`` does. Cost: at most ``queries`` forward rows for each instance.

    Parameters
    ----------
    queries : int
        Rows to ask about for each instance.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: problem (7) of Li et al., arXiv:2404.01356v1, searched without gradients.
    """

    queries: int = 5_000
    random_state: int = 0
    batch_size: BatchSize = AUTO

    name: ClassVar[str] = "benign-search"

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Repair n instances at once; see ``Attack.run``. An unbounded Δ is refused."""
        search = Search(BENIGN, _one_or_two, self.queries, self.random_state, self.batch_size)
        return random_search(search, model, x, y, counterparts, space)


def _one_or_two(draw: Draw) -> Tensor:
    """Propose points that differ from the best ones in one or two features."""
    order, _, place = draw.numbers[:, 1:].chunk(3, dim=1)
    order = torch.where(draw.movable, order, 2.0)
    last = order.topk(min(2, int(draw.movable.sum())), dim=1, largest=False).values
    chosen = order <= torch.where(order[:, :1] < 0.5, last[:, :1], last[:, -1:])
    return torch.where(chosen, torch.lerp(draw.low, draw.high, place), draw.here)
