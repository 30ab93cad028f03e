"""Random sampling: the baseline that a search must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.query import QueryAttack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.problem.searching import Draw

__all__ = ["RandomSampling"]


@dataclass(frozen=True)
class RandomSampling(QueryAttack):
    """Draw uniform points of Δ and keep the best: a baseline at equal budget.

    Parameters
    ----------
    queries, target, random_state, batch_size : see ``QueryAttack``.

    Source: Brooks, A discussion of random methods for seeking maxima, Operations Research 6, 1958.
    """

    family: ClassVar[str] = "random"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 1958
    gradients: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "random-af": {"target": "accurate_fair"},
        "random-acc": {"target": "accurate"},
        "random-if": {"target": "fair"},
    }

    def propose(self, draw: Draw) -> Tensor:
        """Draw a uniform point of Δ."""
        return torch.lerp(draw.low, draw.high, draw.numbers[:, : draw.low.shape[1]])
