"""Benign perturbations: signed steps down both losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.trajectories import AttackResult
from rafair.problem.walking import CounterpartRule, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace

__all__ = ["Benign"]


@dataclass(frozen=True)
class Benign:
    """Move each instance, within a Δ of its own, so that it becomes accurate and fair.

    Feature i moves by −sign(gᵢ) where the gradients at v and at its counterpart have the same sign,
    so that both losses fall. The repair needs the true label, so it cannot be run at prediction
    time. The model must give gradients. Cost: ``steps`` gradients of at most n·(m + 2) rows.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
    steps : int
    loss : {"mse", "cross_entropy", "margin"} or Loss
    counterpart : {"every_step", "first"}
        Choose v' anew at every step, or keep the sensitive values of the first one.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Li et al., arXiv:2404.01356v1, Algorithm 2.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    loss: str | Loss = "mse"
    counterpart: CounterpartRule = "every_step"
    batch_size: BatchSize = AUTO

    name: ClassVar[str] = "benign"

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Repair n instances at once; see ``Attack.run``. Δ is laid around the instances."""
        return walk(self, _down_both, model, x, y, counterparts, space)


def _down_both(own: Tensor, other: Tensor) -> Tensor:
    """Algorithm 2, line 8, on the signs of g and g'."""
    return torch.where(own == other, -own, torch.zeros_like(own))
