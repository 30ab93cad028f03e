"""FGSM: one step to the corner of Δ that the gradient points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.ascent import Landscape
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.walking import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace

__all__ = ["FGSM"]


@dataclass(frozen=True)
class FGSM:
    """Fast gradient sign method: x + ε · sign(∇ₓ l(y, f(x))), cut to Δ.

    An attack on accuracy; the counterparts play no part. A feature whose gradient is zero stays.

    Parameters
    ----------
    loss : {"cross_entropy", "mse", "margin"} or Loss
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Goodfellow, Shlens and Szegedy, ICLR 2015, section 4.
    """

    loss: str | Loss = "cross_entropy"
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "fgsm"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2015
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"fgsm": {}}

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once.

        Parameters
        ----------
        model : Classifier with gradients.
        x : Tensor, shape (n, d), unit space. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: n gradients.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or Δ is unbounded or lets a sensitive feature move.
        """
        land = Landscape.of("FGSM", model, x, y, counterparts, space, self.loss, self.batch_size)
        sign = land.sign(x)
        x_adv = torch.where(sign > 0, land.high, torch.where(sign < 0, land.low, x))
        x_adv = space.round(x_adv, x)
        return AttackResult(x_adv, Trajectory(torch.stack([space.round(x, x), x_adv])), len(x))
