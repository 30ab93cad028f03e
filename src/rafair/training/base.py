"""The contract of a training method: a loss that looks at I(v) × Δ, mixed with the plain loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.errors import InvalidInput
from rafair.models.networks import HIDDEN

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from rafair.training.task import Batch, Task

__all__ = ["Method"]


@dataclass(frozen=True)
class Method(ABC):
    """A way to train a network: (1 − κ) · cross-entropy at v + κ · ``robust_loss``.

    Parameters
    ----------
    strength : float in [0, 1]
        κ, reached by the end of the warm-up.

    Attributes
    ----------
    name : str
        As ``rafair train --method`` and ``RobustClassifier`` take it.
    compares : bool
        Whether the method is about counterparts, so that it needs a sensitive column.
    hidden : tuple of int
        Widths of the hidden layers of the network, by default FCNN(6)'s.
    """

    strength: float

    name: ClassVar[str]
    compares: ClassVar[bool] = False
    hidden: ClassVar[tuple[int, ...]] = HIDDEN

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InvalidInput(f"strength must lie in [0, 1], not {self.strength}")

    @abstractmethod
    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the loss over I(v) × Δ of each person of a batch, shape (n,), in nats."""

    def renewed(
        self,
        network: nn.Sequential,  # noqa: ARG002
        task: Task,  # noqa: ARG002
        instances: Tensor,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """Return the instances (n, d) to learn from beside the people, anew before each epoch.

        Only methods that keep instances change them; at first they are the people themselves.
        """
        return instances
