"""APGD: PGD with momentum and a step size that adapts itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.adaptive_ascent import AdaptiveAscent, Iterate, Memory
from rafair.attacks.base import Aim
from rafair.checks import check_share
from rafair.problem.batching import AUTO, BatchSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.attacks.ascent import Objective
    from rafair.problem import Loss

__all__ = ["APGD"]


@dataclass(frozen=True)
class APGD(AdaptiveAscent):
    """Auto-PGD on accuracy: the step size starts at 2ε and is halved where it no longer helps.

    With z = P(x + η sign(∇l)) and x₋₁ the point before x, the next point is
    P(x + α (z − x) + (1 − α)(x − x₋₁)). The attack does not use the counterparts.
    ``AdaptiveAscent`` says when η is halved, which point stands for a seed, and what it costs.

    Parameters
    ----------
    steps, rho : see ``AdaptiveAscent``.
    loss : {"cross_entropy", "margin", "mse"} or Loss
        The source's DLR loss needs three classes. The margin is its numerator, and two classes are
        enough for it.
    alpha : float
        Momentum, in [0, 1].
    random_start, restarts, random_state, batch_size : see ``GradientAscent``.

    Source: Croce and Hein, ICML 2020, Algorithm 1.
    """

    steps: int = 20
    loss: str | Loss = "cross_entropy"
    alpha: float = 0.75
    rho: float = 0.75
    random_start: bool = True
    restarts: int = 1
    random_state: int = 0
    batch_size: BatchSize = field(default=AUTO, kw_only=True)  # after MultiAPGD's own parameter

    family: ClassVar[str] = "apgd"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"apgd": {}}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("alpha", self.alpha)

    def first_memory(self, start: Tensor) -> Memory:
        """Return x₋₁ of a start: the start itself."""
        return (start,)

    def step(
        self, objective: Objective, here: Iterate, size: Tensor, iteration: int
    ) -> tuple[Tensor, Memory]:
        """Algorithm 1, line 7; the first step has no momentum."""
        x, (before,) = here.x, here.memory
        there = objective.clip(x + size * here.gradient.sign().to(x.dtype))
        if iteration:
            there = x + self.alpha * (there - x) + (1 - self.alpha) * (x - before)
        return there, (x,)
