"""Multi-counterpart APGD: up the largest loss over I(v)."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from rafair.fairness import worst_of_all
from rafair.models import LeakyGradient
from rafair.problem import gradient_rows
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.walking import AttackResult, check_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, GradientRows, Loss, PerturbationSpace

__all__ = ["MultiAPGD"]


@dataclass(frozen=True, eq=False)
class _WorstLandscape(Landscape):
    """The largest loss over I(v), v included: positive margin means not accurately fair."""

    counterparts: Counterparts
    leaky: bool

    def gradient(self, points: Tensor, iteration: int) -> GradientRows:
        """Differentiate the loss of whoever has the largest; every other time through leaks."""
        _, row = self._worst(points)
        people = self.counterparts.take(points, row)
        model = LeakyGradient(self.model) if self.leaky and iteration % 2 else self.model
        found = gradient_rows(model, people, self.y, self.loss, self.batch_size)
        check_result(found.direction)
        return found

    def value(self, points: Tensor) -> Tensor:
        """Return the largest loss at n points, shape (n,), float64."""
        return self._worst(points)[0]

    def _worst(self, points: Tensor) -> tuple[Tensor, Tensor]:
        return worst_of_all(
            self.model, points, self.y, self.counterparts, self.loss, self.batch_size
        )


@dataclass(frozen=True)
class MultiAPGD:
    """Auto-PGD on the largest loss over I(v), v included.

    At every step the gradient is taken at the person with the largest loss; v moves with the step
    of ``APGD``. On every other step idle ReLUs have a slope of 0.05 backwards
    (``LeakyGradient``): where a network's gradient is exactly zero, its own tells nothing.

    Parameters
    ----------
    steps : int
    loss : {"margin", "cross_entropy", "mse"} or Loss
        With the margin, a seed is broken exactly where the largest loss is positive.
    alpha, rho, random_start, restarts, random_state : see ``APGD``.
    leaky : bool
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Croce and Hein, ICML 2020, Algorithm 1, on max over v' ∈ I(v) of l(y, f(v')).
    """

    steps: int = 20
    loss: str | Loss = "margin"
    alpha: float = 0.75
    rho: float = 0.75
    random_start: bool = False
    restarts: int = 1
    random_state: int = 0
    leaky: bool = True
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "multi-apgd"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"multi-apgd": {}}

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
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``: the point where the largest loss
        over I(v) is largest. Cost: per start, ``steps`` gradients of n rows and ``steps + 1``
        forward passes of n·(m + 1) rows, one more each where there are several.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or Δ is unbounded or lets a sensitive feature move.
        """
        base = Landscape.of("MultiAPGD", model, x, y, counterparts, space, self.loss, AUTO)
        land = _WorstLandscape(
            model, x, y, base.loss, base.low, base.high, self.batch_size, counterparts, self.leaky
        )
        step = momentum_step(land, self.alpha)

        def climb(start: Tensor) -> Ascent:
            return adaptive_ascent(land, start, self.steps, self.rho, step, start)

        result = search(self, land, space, climb)
        looks = self.restarts * (max(self.steps, 1) + bool(self.steps) + (self.restarts > 1))
        return replace(result, n_forwards=len(x) * (len(counterparts) + 1) * looks)
