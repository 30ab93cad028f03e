"""The best that a search finds: down the largest loss over I(v)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.fairness.worst import worst_of_all
from rafair.models import require_gradient
from rafair.problem import check_problem, gradient_rows
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.losses import Margin
from rafair.problem.validation import check_step
from rafair.problem.walking import AttackResult, Trajectory, check_result

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Minimax"]


@dataclass(frozen=True)
class Minimax:
    """Move each instance, within a Δ of its own, down the largest margin loss over I(v).

    Sign steps down the loss of the worst person of I(v), v among them; the step falls from the
    whole of Δ to a hundredth of it. The best point stands for an instance: there everyone in I(v)
    is decided rightly if the largest margin is below zero. It needs the true label, as ``Benign``
    does, and shows how much of what ``Benign`` leaves broken could be mended.

    Parameters
    ----------
    steps : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: optimisation problem (7) of Li et al., arXiv:2404.01356v1, solved directly.
    """

    steps: int = 30
    batch_size: BatchSize = AUTO

    name: ClassVar[str] = "minimax"

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
        start: Tensor | None = None,
    ) -> AttackResult:
        """Repair n instances at once.

        Parameters
        ----------
        model : Classifier with gradients.
        x : Tensor, shape (n, d), unit space
            Adversarial instances; Δ is laid around them. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.
        start : Tensor, shape (n, d), optional
            Where to begin; by default at ``x``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``: the best point visited. Cost: a
        gradient and m + 1 forward rows per instance and step, until everyone is decided rightly.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain or ``space`` lets a sensitive feature move.
        """
        require_gradient(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        check_step(self.steps, torch.zeros(()))
        loss = Margin()
        low, high = space.bounds(x)
        radius = torch.maximum(high - x, x - low)
        here = space.project(x if start is None else start, x)
        best = space.round(here, x)
        least, worst = worst_of_all(model, best, y, counterparts, loss, self.batch_size)
        points, n_gradients, n_forwards = [best], 0, len(x) * (len(counterparts) + 1)
        for step in range(self.steps):
            rows = (least >= 0).nonzero()[:, 0]
            if not len(rows):
                break
            people = counterparts.take(here[rows], worst[rows])
            slope = gradient_rows(model, people, y[rows], loss, self.batch_size).direction
            check_result(slope)
            size = radius[rows] * 0.01 ** (step / max(self.steps - 1, 1))
            there = space.project(here[rows] - size * slope.sign().to(x.dtype), x[rows])
            here = here.index_copy(0, rows, there)
            rounded = space.round(there, x[rows])
            margin, farthest = worst_of_all(
                model, rounded, y[rows], counterparts, loss, self.batch_size
            )
            worst = worst.index_copy(0, rows, farthest)
            better = margin < least[rows]
            best = best.index_copy(0, rows, torch.where(better[:, None], rounded, best[rows]))
            least = least.index_copy(0, rows, torch.minimum(margin, least[rows]))
            points.append(best)
            n_gradients += len(rows)
            n_forwards += len(rows) * (len(counterparts) + 1)
        return AttackResult(best, Trajectory(torch.stack(points)), n_gradients, n_forwards)
