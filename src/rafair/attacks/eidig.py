"""EIDIG: ADF with momentum, the gradient of the output, and gradients kept for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import Field, two_phases
from rafair.errors import InvalidInput
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.losses import ErrorProbability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["EIDIG"]


@dataclass(frozen=True)
class EIDIG:
    """Efficient individual discriminatory instances generator.

    ADF's two phases, but with the gradient of the model's output in place of a loss's, with
    momentum in the global phase, and with the local phase's gradients renewed only after
    ``update_interval`` accepted steps.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
    steps : int
        Iterations of both phases together.
    decay : float
        Of the momentum, in [0, 1].
    update_interval : int
        Accepted local steps after which the chances of the features are made anew.
    random_state : int
        Of the features drawn in the local phase.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Zhang, Zhang and Zhang, ISSTA 2021, Algorithms 1 and 2.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    decay: float = 0.5
    update_interval: int = 5
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "eidig"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2021
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"eidig": {}}

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 1:
            raise InvalidInput(f"decay must lie in [0, 1], not {self.decay!r}")
        if isinstance(self.update_interval, bool) or not isinstance(self.update_interval, int):
            raise InvalidInput(f"update_interval must be whole, not {self.update_interval!r}")
        if self.update_interval < 1:
            raise InvalidInput(f"update_interval must be 1 or more, not {self.update_interval}")

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
        y : Tensor of int64, shape (n,)
            Checked, but not used: the search needs no label.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: at most 2
        gradients, and m + 1 forward rows, per seed and step.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain or ``space`` lets a sensitive feature move.
        """
        field = Field.of(
            "EIDIG",
            model,
            x,
            y,
            counterparts,
            space,
            steps=self.steps,
            step_size=self.step_size,
            random_state=self.random_state,
            batch_size=self.batch_size,
        )
        return two_phases(field, self.steps, ErrorProbability(), self.decay, self.update_interval)
