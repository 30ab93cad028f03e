"""PGD: signed steps up the loss, from the seed or from random points of Δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.ascent import Ascent, Landscape, search
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.walking import AttackResult, step_vector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace

__all__ = ["PGD"]


@dataclass(frozen=True)
class PGD:
    """Projected gradient descent on accuracy: x ← P(x + α · sign(∇ₓ l(y, f(x)))).

    The last iterate stands for a seed; of several starts, the one whose last iterate has the
    largest loss. The counterparts play no part.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
        α.
    steps : int
    loss : {"cross_entropy", "mse", "margin"} or Loss
    random_start : bool
        Begin at a uniform point of Δ instead of the seed, as the source does. Where the steps just
        reach ε, the seed is the stronger start (``benchmarks/peers.py``).
    restarts : int
        Number of starts; all but the first are random in any case.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Madry, Makelov, Schmidt, Tsipras and Vladu, ICLR 2018, section 2.1.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    loss: str | Loss = "cross_entropy"
    random_start: bool = False
    restarts: int = 1
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "pgd"
    aim: ClassVar[Aim] = "accuracy"
    year: ClassVar[int] = 2018
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"pgd": {}}

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
        gradients of n rows; with restarts, as many forward rows as ends.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or Δ is unbounded or lets a sensitive feature move.
        """
        land = Landscape.of("PGD", model, x, y, counterparts, space, self.loss, self.batch_size)
        step_size = step_vector(self.steps, self.step_size, x)

        def climb(start: Tensor) -> Ascent:
            points = [start]
            for _ in range(self.steps):
                here = points[-1]
                points.append(land.clip(here + step_size * land.sign(here)))
            return Ascent(torch.stack(points), points[-1], len(x) * self.steps, 0)

        return search(self, land, space, climb)
