"""Adversarial training over Δ, with the trade-off of TRADES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch.nn import functional

from rafair.training.inner import ascended
from rafair.training.loop import NetworkMethod

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rafair.training.task import Batch

__all__ = ["Adversarial"]


@dataclass(frozen=True)
class Adversarial(NetworkMethod):
    """The largest KL(f(v) ‖ f(v + δ)) over Δ, found by sign ascent; v keeps its sensitive values.

    With the plain loss beside it, κ/(1 − κ) is the 1/λ of the source.

    Source: Zhang et al., Theoretically Principled Trade-off between Robustness and Accuracy (ICML
    2019), equation 5.
    """

    strength: float = 0.8

    name: ClassVar[str] = "adversarial"
    step_time: ClassVar[float] = 0.008

    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the divergence at the worst point found."""
        wanted = functional.log_softmax(network(batch.x), dim=1)
        fixed = wanted.detach()

        def apart(point: Tensor, of: Tensor = fixed) -> Tensor:
            found = functional.log_softmax(network(point), dim=1)
            return functional.kl_div(found, of, reduction="none", log_target=True).sum(dim=1)

        worst = ascended(apart, *batch.around(batch.x), batch.generator)
        return apart(worst, wanted)
