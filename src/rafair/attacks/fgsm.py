"""FGSM: one step to the corner of Δ that the gradient points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.ascent import Ascent, GradientAscent, Objective
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.problem import Loss

__all__ = ["FGSM"]


@dataclass(frozen=True)
class FGSM(GradientAscent):
    """Fast gradient sign method: x + ε · sign(∇ₓ l(y, f(x))), cut to Δ.

    An attack on accuracy: it does not use the counterparts. A feature whose gradient is zero stays.
    Δ must be bounded. Cost: one gradient per seed.

    Parameters
    ----------
    loss, batch_size : see ``GradientAscent``.

    Source: Goodfellow, Shlens and Szegedy, ICLR 2015, section 4.
    """

    loss: str | Loss = "cross_entropy"
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "fgsm"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2015
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"fgsm": {}}

    def climb(self, objective: Objective, start: Tensor) -> Ascent:
        """Go to the corner of Δ that the gradient points to."""
        sign = objective.sign(start)
        corner = torch.where(sign > 0, objective.high, torch.where(sign < 0, objective.low, start))
        return Ascent(corner.unsqueeze(0), 1, corner, len(start), 0)
