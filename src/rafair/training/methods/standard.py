"""Standard training: the loss at the people themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch.nn import functional

from rafair.training.loop import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rafair.training.task import Batch

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(NetworkMethod):
    """Cross-entropy at v alone; no strength changes it."""

    strength: float = 0.0

    name: ClassVar[str] = "standard"
    step_time: ClassVar[float] = 0.003
    # A quick bound proves hardly anybody.
    proof_time: ClassVar[float] = 0.04

    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the cross-entropy at v."""
        return functional.cross_entropy(network(batch.x), batch.y, reduction="none")
