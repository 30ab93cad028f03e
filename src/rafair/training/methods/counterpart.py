"""Counterpart training: the mean loss over random members of I(v)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from rafair.training.loop import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rafair.training.task import Batch

__all__ = ["Counterpart"]

# Members of I(v) at each step.
DRAWN = 4


@dataclass(frozen=True)
class Counterpart(NetworkMethod):
    """Mean cross-entropy of four random counterparts of v, which all have v's label.

    Source: the counterfactual token fairness of Garg et al., AIES 2019, by augmentation.
    """

    strength: float = 1.0

    name: ClassVar[str] = "counterpart"
    compares: ClassVar[bool] = True
    # A quick bound proves hardly anybody.
    proof_time: ClassVar[float] = 0.04

    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the mean cross-entropy over the counterparts."""
        people = torch.cat([batch.counterparts() for _ in range(DRAWN)])
        losses = functional.cross_entropy(network(people), batch.y.repeat(DRAWN), reduction="none")
        return losses.view(DRAWN, -1).mean(dim=0)
