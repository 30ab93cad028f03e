"""Adversarial training over I(v) × Δ: the worst counterpart at the worst point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from rafair.training.inner import ascended
from rafair.training.loop import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rafair.training.task import Batch

__all__ = ["WorstCounterpart"]

# Members of I(v) of which the one with the largest loss is moved, beside v itself.
DRAWN = 7


@dataclass(frozen=True)
class WorstCounterpart(NetworkMethod):
    """The largest cross-entropy over I(v) × Δ that sign ascent finds.

    Of v and seven random counterparts the one with the largest loss ascends in Δ.

    Source: Madry et al. (2018) over the product of the two sets of Definition 3.1 of Li et al.,
    arXiv:2404.01356v1.
    """

    strength: float = 1.0

    name: ClassVar[str] = "worst-counterpart"
    step_time: ClassVar[float] = 0.01
    compares: ClassVar[bool] = True

    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the cross-entropy at the worst person found."""

        def loss(people: Tensor) -> Tensor:
            return functional.cross_entropy(network(people), batch.y, reduction="none")

        people = torch.stack([batch.x, *(batch.counterparts() for _ in range(DRAWN))])
        with torch.no_grad():
            row = torch.stack([loss(some) for some in people]).argmax(dim=0)
        chosen = people[row, torch.arange(len(row))]
        return loss(ascended(loss, *batch.around(chosen), batch.generator))
