"""Multi-counterpart APGD: up the largest loss over I(v)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.apgd import APGD
from rafair.attacks.ascent import Objective
from rafair.attacks.base import Aim
from rafair.fairness import worst_of_all
from rafair.models import LeakyGradient
from rafair.problem import gradient_rows
from rafair.problem.trajectories import AttackResult
from rafair.problem.walking import check_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, GradientRows, Loss, PerturbationSpace

__all__ = ["MultiAPGD"]


@dataclass(frozen=True, eq=False)
class _LargestLoss(Objective):
    """The largest loss over I(v), v included: a positive margin means not accurately fair."""

    counterparts: Counterparts
    leaky: bool

    def gradient(self, points: Tensor, iteration: int) -> GradientRows:
        """Differentiate the loss of the person with the largest; by leaky ReLUs every other time.

        Raises
        ------
        InvalidInput
            If a derivative is NaN or infinite.
        """
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
class MultiAPGD(APGD):
    """Auto-PGD on the largest loss over I(v), v included.

    At every step the gradient is that of the person with the largest loss; v moves by the step of
    ``APGD``. At every other step inactive ReLUs have a slope of 0.05 in the backward pass
    (``LeakyGradient``), since a network's own gradient says nothing where it is exactly zero. The
    point where the largest loss over I(v) is largest stands for a seed. Cost: the gradients of
    ``APGD``, and n·(m + 1) forward rows for each of its gradient and forward passes.

    Parameters
    ----------
    loss : {"margin", "cross_entropy", "mse"} or Loss
        With the margin, a seed is broken exactly where the largest loss is positive.
    leaky : bool
        Whether every other gradient is that of leaky ReLUs.
    steps, alpha, rho, random_start, restarts, random_state, batch_size : see ``APGD``.

    Source: Croce and Hein, ICML 2020, Algorithm 1, on max over v' ∈ I(v) of l(y, f(v')).
    """

    loss: str | Loss = "margin"
    random_start: bool = False
    leaky: bool = True

    family: ClassVar[str] = "multi-apgd"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"multi-apgd": {}}

    def objective(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> Objective:
        """Check the problem and return what is climbed: the largest loss over I(v).

        Raises
        ------
        InvalidInput
            See ``Attack.run``; also if Δ is unbounded.
        """
        own = super().objective(model, x, y, counterparts, space)
        return _LargestLoss(**vars(own), counterparts=counterparts, leaky=self.leaky)

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        result = super().run(model, x, y, counterparts, space)
        points = result.n_gradients + result.n_forwards  # each asks about v and all of I(v)
        return replace(result, n_forwards=points * (len(counterparts) + 1))
