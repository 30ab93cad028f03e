"""The best repair that a search finds: down the largest loss over I(v)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.checks import check_whole
from rafair.fairness.worst import worst_of_all
from rafair.models import require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import Margin
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.problem.walking import check_result

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Minimax"]

# The last step size, as a share of the first.
LAST_SIZE = 0.01


@dataclass(frozen=True)
class Minimax:
    """Move each instance, within a Δ of its own, down the largest margin loss over I(v).

    Each step follows the signs of the gradient at the person of I(v), v included, with the largest
    margin loss. The step size falls from the whole of Δ to a hundredth of it. The best point
    visited stands for an instance; all of I(v) are decided rightly there if the largest margin is
    below zero. The repair needs the true label, as ``Benign`` does, and shows how many of the
    instances that ``Benign`` does not repair can be repaired. The model must give gradients.

    Cost: one gradient and m + 1 forward rows per instance and step, until all of I(v) are decided
    rightly.

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
        """Repair n instances at once; see ``Attack.run``. Δ is laid around the instances.

        Parameters
        ----------
        start : Tensor, shape (n, d), optional
            Where to begin; by default at ``x``. It is projected to Δ. Not modified.
        """
        require_gradient(model, type(self).__name__)
        low, high = check_problem(model, x, y, counterparts, space)
        check_whole("steps", self.steps, 0)
        radius = torch.maximum(high - x, x - low)
        descent = _Descent(model, x, y, counterparts, space, radius, self.batch_size)
        state = descent.begin(space.project(x if start is None else start, x))
        points, n_gradients = [state.best], 0
        for step in range(self.steps):
            rows = (state.least >= 0).nonzero()[:, 0]
            if not len(rows):
                break
            state = descent.step(state, rows, LAST_SIZE ** (step / max(self.steps - 1, 1)))
            points.append(state.best)
            n_gradients += len(rows)
        n_forwards = (len(x) + n_gradients) * (len(counterparts) + 1)
        return AttackResult(state.best, Trajectory(torch.stack(points)), n_gradients, n_forwards)


@dataclass(frozen=True, eq=False)
class _State:
    """Where the instances are, and the best point of each so far."""

    here: Tensor  # (n, d), not rounded
    worst: Tensor  # (n,), row of the grid: who has the largest margin loss here; −1 for v
    best: Tensor  # (n, d), rounded
    least: Tensor  # (n,), float64, the largest margin loss at ``best``


@dataclass(frozen=True, eq=False)
class _Descent:
    """Steps of n instances down the largest margin loss over I(v)."""

    model: Classifier
    x: Tensor
    y: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    radius: Tensor  # (n, d), how far each feature may move
    batch_size: BatchSize

    def begin(self, start: Tensor) -> _State:
        """Return the state at a point of Δ for each instance."""
        best = self.space.round(start, self.x)
        least, worst = self._largest(best, self.y)
        return _State(start, worst, best, least)

    def step(self, state: _State, rows: Tensor, share: float) -> _State:
        """Move these rows by a share of Δ."""
        x, y, here = self.x[rows], self.y[rows], state.here[rows]
        people = self.counterparts.take(here, state.worst[rows])
        slope = gradient_directions(self.model, people, y, Margin(), self.batch_size)
        check_result(slope)
        there = here - self.radius[rows] * share * slope.sign().to(x.dtype)
        there = self.space.project(there, x)
        rounded = self.space.round(there, x)
        margin, worst = self._largest(rounded, y)
        better = (margin < state.least[rows]).unsqueeze(1)
        return _State(
            state.here.index_copy(0, rows, there),
            state.worst.index_copy(0, rows, worst),
            state.best.index_copy(0, rows, torch.where(better, rounded, state.best[rows])),
            state.least.index_copy(0, rows, torch.minimum(margin, state.least[rows])),
        )

    def _largest(self, points: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return worst_of_all(self.model, points, y, self.counterparts, Margin(), self.batch_size)
