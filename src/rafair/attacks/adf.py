"""ADF: follow gradients to individual discrimination, then take random steps from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import DiscriminationSearch, Problem
from rafair.attacks.two_phases import TwoPhases
from rafair.problem.losses import CrossEntropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.problem.trajectories import AttackResult

__all__ = ["ADF"]


@dataclass(frozen=True)
class ADF(DiscriminationSearch):
    """Adversarial discrimination finder.

    Take v and the counterpart with the most different output. A global phase moves the features on
    which their gradients have equal signs, up the loss against the predicted class, until somebody
    in I(v) is decided otherwise. From there a local phase moves one feature at a time, more often
    one that matters little; it goes back to where it began when all of I(v) are decided alike.
    Cost: at most 2 gradients, and m + 1 forward rows, per seed and step.

    Parameters
    ----------
    step_size, steps, random_state, batch_size : see ``DiscriminationSearch``. The source bounds the
        iterations of each phase (max_iter, max_local) instead of their sum.

    Source: Zhang et al., ICSE 2020, Algorithms 1 and 2; IEEE TSE 48(9), 2022. The seeds come from
    k-means clusters (``choose_seeds``), as there.
    """

    family: ClassVar[str] = "adf"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"adf": {}}

    def search(self, problem: Problem) -> AttackResult:
        """Search without momentum; weigh the features anew after every accepted local step."""
        phases = TwoPhases(problem, CrossEntropy(), decay=0.0, update_interval=1)
        return phases.search(self.steps)
