"""The corner of Δ at which a linear bound says a ReLU network fares worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.fairness import worst_of_all
from rafair.models import require_gradient
from rafair.problem import check_problem, gradient_rows
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.bounds import BOXES, linear_bound, no_pattern
from rafair.problem.losses import Margin
from rafair.problem.network import relu_network
from rafair.problem.walking import AttackResult, Trajectory, check_result

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.network import ReluNetwork

__all__ = ["LinearCorner"]


@dataclass(frozen=True)
class LinearCorner:
    """Jump to where a linear bound of the margin is least, then take a few sign steps.

    One CROWN bound over the hull of I(v) × Δ gives a linear function below the margin; the corner
    that minimises it is the first point. From there signed steps climb the largest margin loss over
    I(v), each half as long as the one before. It needs a network of linear layers and ReLU.

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
        """Attack n seeds at once.

        Parameters
        ----------
        model : Classifier
        x : Tensor, shape (n, d), unit space. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``: the point with the largest
        margin loss over I(v). Cost: a bound, ``steps`` gradients of n rows and ``steps + 1``
        forward passes of n·(m + 1) rows.

        Raises
        ------
        InvalidInput
            If the model is no such network, ``x`` leaves the domain or ``space`` lets a sensitive
            feature move.
        """
        require_gradient(model, type(self).__name__)
        low, high = check_problem(model, x, y, counterparts, space)
        loss, reach = Margin(), space.reach(x)
        here = space.project(_corner(relu_network(model), low, high, y, counterparts), x)
        best = space.round(here, x)
        largest, row = worst_of_all(model, best, y, counterparts, loss, self.batch_size)
        points = [x, best]
        for step in range(self.steps):
            people = counterparts.take(here, row)
            slope = gradient_rows(model, people, y, loss, self.batch_size).direction
            check_result(slope)
            there = here + reach * 0.5**step * slope.sign().to(x.dtype)
            here = space.project(there, x)
            rounded = space.round(here, x)
            margin, row = worst_of_all(model, rounded, y, counterparts, loss, self.batch_size)
            best = torch.where((margin > largest).unsqueeze(1), rounded, best)
            largest = torch.maximum(margin, largest)
            points.append(rounded)
        n = len(x)
        looks = n * (len(counterparts) + 1) * (self.steps + 1)
        return AttackResult(best, Trajectory(torch.stack(points)), n * self.steps, looks)


def _corner(
    network: ReluNetwork, low: Tensor, high: Tensor, y: Tensor, counterparts: Counterparts
) -> Tensor:
    """Return the corner of Δ where the bound over the hull of I(v) × Δ is least, in x's type."""
    hull_low, hull_high = (bound.to(torch.float64, copy=True) for bound in (low, high))
    values = counterparts.grid.to(hull_low)
    for place, column in enumerate(counterparts.columns):
        hull_low[:, column] = torch.minimum(hull_low[:, column], values[:, place].min())
        hull_high[:, column] = torch.maximum(hull_high[:, column], values[:, place].max())
    corners = []
    for rows in torch.split(torch.arange(len(low), device=low.device), BOXES):
        nothing = no_pattern(network, len(rows))
        slope = linear_bound(network, hull_low[rows], hull_high[rows], y[rows], nothing).slope
        corners.append(torch.where(slope > 0, low[rows], high[rows]))
    return torch.cat(corners)
