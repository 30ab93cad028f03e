"""Random sampling: what a search must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.errors import InvalidInput
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.searching import TARGETS, Draw, Search, random_search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["RandomSampling"]


@dataclass(frozen=True)
class RandomSampling:
    """Draw uniform points of Δ and keep the best: a baseline at equal budget.

    Parameters
    ----------
    queries, target, random_state, batch_size : see ``Square``.

    Source: Brooks, A discussion of random methods for seeking maxima, Operations Research 6, 1958.
    """

    queries: int = 5_000
    target: str = "accurate_fair"
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "random"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 1958
    gradients: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "random-af": {"target": "accurate_fair"},
        "random-acc": {"target": "accurate"},
        "random-if": {"target": "fair"},
    }

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InvalidInput(f"unknown target {self.target!r}; use one of {', '.join(TARGETS)}")

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Square.run``."""
        search = Search(
            TARGETS[self.target], _anywhere, self.queries, self.random_state, self.batch_size
        )
        return random_search(search, model, x, y, counterparts, space)


def _anywhere(draw: Draw) -> Tensor:
    return torch.lerp(draw.low, draw.high, draw.numbers[:, : draw.low.shape[1]])
