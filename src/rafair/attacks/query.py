"""Random search with a budget of queries: what Square and RandomSampling share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rafair.checks import check_one_of
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.goals import TARGETS
from rafair.problem.searching import Draw, Search, random_search

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.trajectories import AttackResult

__all__ = ["QueryAttack"]


@dataclass(frozen=True)
class QueryAttack(ABC):
    """Propose points of Δ at random and keep the best; scores or labels of the model are enough.

    Δ must be bounded. Cost: at most ``queries`` forward rows for each seed.

    Parameters
    ----------
    queries : int
        Rows to ask about for each seed. A point costs three rows, v and two counterparts; with the
        target accurate it costs one row, v.
    target : {"accurate_fair", "accurate", "fair"}
        What to find: a point where v or somebody in I(v) is decided wrongly, a point where v is
        decided wrongly, or a point where one of them is decided wrongly and another rightly.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    queries: int = 5_000
    target: str = "accurate_fair"
    random_state: int = 0
    batch_size: BatchSize = AUTO

    def __post_init__(self) -> None:
        check_one_of("target", self.target, tuple(TARGETS))

    @abstractmethod
    def propose(self, draw: Draw) -> Tensor:
        """Return a new point for each row of a draw, shape (n, d)."""

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        goal = TARGETS[self.target]
        search = Search(goal, self.propose, self.queries, self.random_state, self.batch_size)
        return random_search(search, model, x, y, counterparts, space)
