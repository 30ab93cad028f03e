"""ACG: conjugate gradients with APGD's step size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.adaptive_ascent import AdaptiveAscent, Iterate, Memory
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.attacks.ascent import Objective
    from rafair.problem import Loss

__all__ = ["ACG"]


@dataclass(frozen=True)
class ACG(AdaptiveAscent):
    """Auto conjugate gradient on accuracy: x ← P(x + η sign(s)), s = ∇l + β s₋₁.

    β is Hestenes and Stiefel's, ⟨∇l, t⟩ / ⟨s₋₁, t⟩ with t = ∇l₋₁ − ∇l. It is 0 / 0, and taken to be
    0, where the gradient has not changed, as within one linear piece of a ReLU network under the
    margin loss. The attack does not use the counterparts. ``AdaptiveAscent`` says when η is halved,
    which point stands for a seed, and what it costs.

    Parameters
    ----------
    steps, rho : see ``AdaptiveAscent``.
    loss : {"margin", "cross_entropy", "mse"} or Loss
        The margin is the source's CW loss.
    random_start : bool
        The source begins at the seed.
    restarts, random_state, batch_size : see ``GradientAscent``.

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

    def first_memory(self, start: Tensor) -> Memory:
        """Return s₋₁ and ∇l₋₁ of a start: zeros."""
        zeros = torch.zeros_like(start, dtype=torch.float64)
        return zeros, zeros

    def step(
        self,
        objective: Objective,  # noqa: ARG002
        here: Iterate,
        size: Tensor,
        iteration: int,
    ) -> tuple[Tensor, Memory]:
        """Equation 4; the first direction is the gradient."""
        direction, old = here.memory
        conjugate = here.gradient
        if iteration:
            conjugate = here.gradient + _beta(here.gradient, old, direction) * direction
        there = here.x + size * conjugate.sign().to(here.x.dtype)
        return there, (conjugate, here.gradient)


def _beta(gradient: Tensor, old: Tensor, direction: Tensor) -> Tensor:
    change = old - gradient
    above, below = (gradient * change).sum(dim=1), (direction * change).sum(dim=1)
    return (above / below).nan_to_num(0.0, 0.0, 0.0).unsqueeze(1)  # not finite where below is 0
