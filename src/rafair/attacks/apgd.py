"""APGD: PGD with momentum and a step that adapts itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.ascent import (
    Ascent,
    Landscape,
    adaptive_ascent,
    check_adaptive,
    momentum_step,
    search,
)
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["APGD"]


@dataclass(frozen=True)
class APGD:
    """Auto-PGD on accuracy: the step starts at 2ε and is halved where it no longer helps.

    With z = P(x + η sign(∇l)) and x₋₁ the point before x, the next one is
    P(x + α (z − x) + (1 − α)(x − x₋₁)). The point with the largest loss stands for a seed. The
    counterparts play no part.

    Parameters
    ----------
    steps : int
        N_iter.
    loss : {"cross_entropy", "margin", "mse"} or Loss
        The source's DLR loss needs three classes; the margin is its numerator and has a meaning
        for two.
    alpha : float
        Momentum.
    rho : float
        Share of steps that must have raised the loss, lest the step be halved.
    random_start, restarts, random_state : see ``PGD``.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Croce and Hein, ICML 2020, Algorithm 1.
    """

    steps: int = 20
    loss: str | Loss = "cross_entropy"
    alpha: float = 0.75
    rho: float = 0.75
    random_start: bool = True
    restarts: int = 1
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "apgd"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"apgd": {}}

    def __post_init__(self) -> None:
        check_adaptive(self.steps, rho=self.rho, alpha=self.alpha)

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
        land = Landscape.of("APGD", model, x, y, counterparts, space, self.loss, self.batch_size)

        step = momentum_step(land, self.alpha)

        def climb(start: Tensor) -> Ascent:
            return adaptive_ascent(land, start, self.steps, self.rho, step, start)

        return search(self, land, space, climb)
