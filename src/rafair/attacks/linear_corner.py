"""The corner of Δ where a linear bound of a ReLU network's margin is least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.bounds.crown import BOXES, linear_bound
from rafair.bounds.network import layered_network, no_pattern
from rafair.fairness import worst_of_all
from rafair.models import require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import Margin
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.problem.walking import check_result

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.bounds.network import LayeredNetwork
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["LinearCorner"]


@dataclass(frozen=True)
class LinearCorner:
    """Go to the corner of Δ where a linear bound of the margin is least; then take sign steps.

    One CROWN bound over the hull of I(v) × Δ gives a linear function below the margin; the corner
    of Δ that minimises it is the first point. From there sign steps climb the largest margin loss
    over I(v), each half as long as the one before. The point with the largest margin loss over I(v)
    stands for a seed.

    The model must be a network of linear layers and ReLU; any other is refused. Cost: one bound per
    seed, ``steps`` gradients of n rows and ``steps + 1`` forward passes of n·(m + 1) rows.

    Parameters
    ----------
    steps : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    steps: int = 3
    batch_size: BatchSize = AUTO

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``."""
        require_gradient(model, type(self).__name__)
        low, high = check_problem(model, x, y, counterparts, space)
        loss, reach, batch_size = Margin(), space.reach(x), self.batch_size
        here = space.project(_corner(layered_network(model), low, high, y, counterparts), x)
        best = space.round(here, x)
        largest, row = worst_of_all(model, best, y, counterparts, loss, batch_size)
        points = [x, best]
        for step in range(self.steps):
            worst = counterparts.take(here, row)
            slope = gradient_directions(model, worst, y, loss, batch_size)
            check_result(slope)
            here = space.project(here + reach * 0.5**step * slope.sign().to(x.dtype), x)
            points.append(space.round(here, x))
            margin, row = worst_of_all(model, points[-1], y, counterparts, loss, batch_size)
            best = torch.where((margin > largest).unsqueeze(1), points[-1], best)
            largest = torch.maximum(margin, largest)
        n_forwards = len(x) * (len(counterparts) + 1) * (self.steps + 1)
        trajectory = Trajectory(torch.stack(points))
        return AttackResult(best, trajectory, len(x) * self.steps, n_forwards)


def _corner(
    network: LayeredNetwork, low: Tensor, high: Tensor, y: Tensor, counterparts: Counterparts
) -> Tensor:
    """Return the corner of Δ where the bound over the hull of I(v) × Δ is least, in x's type."""
    hull_low, hull_high = (bound.to(torch.float64, copy=True) for bound in (low, high))
    columns, (least, greatest) = list(counterparts.columns), counterparts.hull(low)
    hull_low[:, columns] = torch.minimum(hull_low[:, columns], least)
    hull_high[:, columns] = torch.maximum(hull_high[:, columns], greatest)
    corners = []
    for rows in torch.split(torch.arange(len(low), device=low.device), BOXES):
        nothing = no_pattern(network, len(rows))
        slope = linear_bound(network, hull_low[rows], hull_high[rows], y[rows], nothing).plain_slope
        corners.append(torch.where(slope > 0, low[rows], high[rows]))
    return torch.cat(corners)
