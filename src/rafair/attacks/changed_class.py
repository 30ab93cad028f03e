"""A biased point on the way to where somebody in I(v) changes class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.attacks.multi_apgd import MultiAPGD
from rafair.fairness.decisions import predict
from rafair.fairness.dissent import find_dissent
from rafair.models import require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.trajectories import AttackResult, Trajectory

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["ChangedClass"]


@dataclass(frozen=True)
class ChangedClass:
    """Make somebody in I(v) change class, then look for a biased point on the way there.

    ``MultiAPGD`` climbs the largest margin over I(v) against the class of v, which need not be the
    label. Where all of I(v) have one class at the seed and another at the end, they rarely change
    at the same point in between: the segment is halved until somebody differs (``find_dissent``).
    The labels are checked, but not used.

    Cost: that of ``MultiAPGD``, which is what the counts say, and at most 50 forward passes of
    n·(m + 1) rows.

    Parameters
    ----------
    steps : int
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    steps: int = 40
    random_state: int = 0
    batch_size: BatchSize = AUTO

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        require_gradient(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        climb = MultiAPGD(self.steps, random_state=self.random_state, batch_size=self.batch_size)
        found = climb.run(model, x, predict(model, x, self.batch_size), counterparts, space)
        point, _, is_biased = find_dissent(model, x, found.x_adv, counterparts, space)
        x_adv = torch.where(is_biased.unsqueeze(1), point, found.x_adv)
        trajectory = Trajectory(torch.stack([space.round(x, x), x_adv]))
        return AttackResult(x_adv, trajectory, found.n_gradients, found.n_forwards)
