"""PGD: signed steps up the loss, from the seed or from random points of Δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.ascent import Ascent, GradientAscent, Objective
from rafair.attacks.base import Aim
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.walking import step_vector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.problem import Loss

__all__ = ["PGD"]


@dataclass(frozen=True)
class PGD(GradientAscent):
    """Projected gradient descent on accuracy: x ← P(x + α · sign(∇ₓ l(y, f(x)))).

    The last iterate stands for a seed; with several starts, the last iterate with the largest loss.
    The attack does not use the counterparts, and Δ must be bounded. Cost: ``restarts · steps``
    gradients of n rows; with restarts, also ``restarts`` forward passes of n rows.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
        α.
    steps : int
    random_start : bool
        The source begins at a random point. Where the steps just reach ε, the seed is the stronger
        start (``benchmarks/peers.py``).
    loss, restarts, random_state, batch_size : see ``GradientAscent``.

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

    def climb(self, objective: Objective, start: Tensor) -> Ascent:
        """Take the steps, each of them cut to Δ."""
        step_size = step_vector(self.steps, self.step_size, start)
        points = [start]
        for _ in range(self.steps):
            here = points[-1]
            points.append(objective.clip(here + step_size * objective.sign(here)))
        return Ascent(torch.stack(points), self.steps, points[-1], len(start) * self.steps, 0)
