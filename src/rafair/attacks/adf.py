"""ADF: gradients towards, then random steps along, individual discrimination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import Field, two_phases
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.losses import CrossEntropy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["ADF"]


@dataclass(frozen=True)
class ADF:
    """Adversarial discrimination finder.

    A global phase moves the features on which v and the counterpart with the most different output
    have gradients of equal sign, up the loss against the predicted class, until somebody in I(v) is
    decided otherwise. From there a local phase moves one feature at a time, rather one that matters
    little, and goes back to where it began when nobody is.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
        The source's perturbation size, 1 on integer-coded features.
    steps : int
        Iterations of both phases together; the source bounds each (max_iter, max_local).
    random_state : int
        Of the features drawn in the local phase.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Zhang et al., ICSE 2020, Algorithms 1 and 2; IEEE TSE 48(9), 2022. The seeds come from
    k-means clusters (``choose_seeds``), as there.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "adf"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"adf": {}}

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
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: 2 gradients and
        m + 1 forward rows per seed and step.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain or ``space`` lets a sensitive feature move.
        """
        field = Field.of(
            "ADF",
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
        return two_phases(field, self.steps, CrossEntropy(), decay=0.0, update_interval=1)
