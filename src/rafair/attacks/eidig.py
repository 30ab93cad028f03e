"""EIDIG: ADF with momentum, the gradient of the output, and gradients kept for some steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import DiscriminationSearch, Problem
from rafair.attacks.two_phases import TwoPhases
from rafair.checks import check_share, check_whole
from rafair.problem.losses import ErrorProbability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.problem.trajectories import AttackResult

__all__ = ["EIDIG"]


@dataclass(frozen=True)
class EIDIG(DiscriminationSearch):
    """Efficient individual discriminatory instances generator.

    ADF's two phases, but with the gradient of the model's output in place of a loss's, with
    momentum in the global phase, and with the local phase's gradients computed anew only after
    ``update_interval`` accepted steps. Cost: at most 2 gradients, and m + 1 forward rows, per seed
    and step.

    Parameters
    ----------
    decay : float
        Of the momentum, in [0, 1].
    update_interval : int
        Accepted local steps after which the features are weighed anew.
    step_size, steps, random_state, batch_size : see ``DiscriminationSearch``.

    Source: Zhang, Zhang and Zhang, ISSTA 2021, Algorithms 1 and 2.
    """

    decay: float = 0.5
    update_interval: int = 5

    family: ClassVar[str] = "eidig"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2021
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"eidig": {}}

    def __post_init__(self) -> None:
        check_share("decay", self.decay)
        check_whole("update_interval", self.update_interval, 1)

    def search(self, problem: Problem) -> AttackResult:
        """Search with ADF's two phases and the three changes."""
        phases = TwoPhases(problem, ErrorProbability(), self.decay, self.update_interval)
        return phases.search(self.steps)
