"""ACG: conjugate gradients with APGD's step rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.ascent import Ascent, Landscape, adaptive_ascent, check_adaptive, search
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["ACG"]


@dataclass(frozen=True)
class ACG:
    """Auto conjugate gradient on accuracy: x ← P(x + η sign(s)), s = ∇l + β s₋₁.

    β is Hestenes and Stiefel's, ⟨∇l, t⟩ / ⟨s₋₁, t⟩ with t = ∇l₋₁ − ∇l. Where the
    gradient has not changed, as inside one linear piece of a ReLU network under the margin loss, it
    is 0 / 0 and taken to be 0. The step starts at 2ε and is halved as in APGD. The point with the
    largest loss stands for a seed. The counterparts play no part.

    Parameters
    ----------
    steps : int
        N_iter.
    loss : {"margin", "cross_entropy", "mse"} or Loss
        The margin is the source's CW loss.
    rho : float
        Share of steps that must have raised the loss, lest the step be halved.
    random_start, restarts, random_state : see ``PGD``; the source begins at the seed itself.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Yamamura et al., ICML 2022, Algorithm 1 and Equation 4.
    """

    steps: int = 20
    loss: str | Loss = "margin"
    rho: float = 0.75
    random_start: bool = False
    restarts: int = 1
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "acg"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2022
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"acg": {}}

    def __post_init__(self) -> None:
        check_adaptive(self.steps, rho=self.rho)

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
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: ``restarts · steps``
        gradients of n rows, and ``restarts`` forward passes.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or Δ is unbounded or lets a sensitive feature move.
        """
        land = Landscape.of("ACG", model, x, y, counterparts, space, self.loss, self.batch_size)

        def take_step(
            x: Tensor, gradient: Tensor, memory: Tensor, size: Tensor, iteration: int
        ) -> tuple[Tensor, Tensor]:
            conjugate = gradient
            if iteration:
                direction, old = memory.chunk(2, dim=1)
                conjugate = gradient + _beta(gradient, old, direction) * direction
            there = x + size * conjugate.sign().to(x.dtype)
            return there, torch.cat([conjugate, gradient], dim=1)

        def climb(start: Tensor) -> Ascent:
            nothing = torch.zeros(len(x), 2 * x.shape[1], dtype=torch.float64, device=x.device)
            return adaptive_ascent(land, start, self.steps, self.rho, take_step, nothing)

        return search(self, land, space, climb)


def _beta(gradient: Tensor, old: Tensor, direction: Tensor) -> Tensor:
    change = old - gradient
    above, below = (gradient * change).sum(dim=1), (direction * change).sum(dim=1)
    return (above / below).nan_to_num(0.0, 0.0, 0.0).unsqueeze(1)  # not finite where below is 0
