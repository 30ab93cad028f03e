"""Attacks that aim at a named cell of Table 1: true biased, false fair or false biased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.checks import check_one_of, check_whole
from rafair.fairness import CELLS, worst_of_all
from rafair.fairness.decisions import own_scores
from rafair.models import LeakyGradient, require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import Margin
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.problem.walking import check_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["CellAscent", "classes_of_cell"]

# The first and the last step size, as shares of the radius of Δ.
FIRST_SIZE, LAST_SIZE = 0.5, 0.01


@dataclass(frozen=True)
class CellAscent:
    """Move each seed, within Δ, into one cell of Table 1.

    A point lies in a cell if f(v) = c and, in a fair cell, all of I(v) are decided as c or, in a
    biased cell, somebody is not; c is the label in the true cells, and any other class in the false
    ones. The depth of a point in its cell is a margin: in a fair cell the smallest margin of c over
    I(v); in a biased cell the smaller of the margin of c at v and the largest margin against c over
    I(v). It is positive exactly inside the cell. Sign steps of decreasing size climb the depth,
    each with the gradient at the person who limits it; every other gradient goes through leaky
    ReLUs (``LeakyGradient``). The deepest point stands for a seed.

    Cost: per step and class, at most one gradient and m + 2 forward rows of n rows. A seed that is
    inside the cell takes no further step.

    Parameters
    ----------
    cell : {"TB", "FF", "FB", "TF"}
        TF is a repair: it needs no attack where the seed already lies there.
    steps : int
    leaky : bool
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    cell: str = "TB"
    steps: int = 60
    leaky: bool = True
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "cell"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "cell-tb": {"cell": "TB"},
        "cell-ff": {"cell": "FF"},
        "cell-fb": {"cell": "FB"},
    }

    def __post_init__(self) -> None:
        check_one_of("cell", self.cell, CELLS)
        check_whole("steps", self.steps, 0)

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
        radius = torch.maximum(high - x, x - low)
        climb = _Climb(model, x, counterparts, space, radius, self)
        state = _State.at(space.round(x, x))
        for target in classes_of_cell(self.cell, own_scores(model, x, self.batch_size), y):
            climb.towards(target, state)
        trajectory = Trajectory(torch.stack([space.round(x, x), state.best]))
        n_forwards = state.looks * (len(counterparts) + 2)
        return AttackResult(state.best, trajectory, state.n_gradients, n_forwards)


def classes_of_cell(cell: str, scores: Tensor, y: Tensor) -> list[Tensor]:
    """Return the classes that v may be decided as in a cell, the likeliest first.

    Parameters
    ----------
    scores : Tensor, shape (n, k)
        Of each v.
    y : Tensor of int64, shape (n,)

    Returns
    -------
    list of Tensor of int64, shape (n,)
        The label alone in a true cell; every other class in a false one.
    """
    if cell.startswith("T"):
        return [y]
    others = scores.to(torch.float64).scatter(1, y.unsqueeze(1), -torch.inf)
    ranked = others.argsort(dim=1, descending=True, stable=True)
    return list(ranked[:, :-1].unbind(1))


@dataclass(eq=False)
class _State:
    """The deepest point of each seed so far, and the cost."""

    best: Tensor  # (n, d), rounded
    depth: Tensor  # (n,), float64
    n_gradients: int = 0
    looks: int = 0  # rows whose I(v) was looked at

    @classmethod
    def at(cls, x: Tensor) -> _State:
        return cls(x, torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device))


@dataclass(frozen=True, eq=False)
class _Climb:
    """What every step of the search needs."""

    model: Classifier
    x: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    radius: Tensor
    attack: CellAscent

    def towards(self, target: Tensor, state: _State) -> None:
        """Climb, from the seeds, the depth in the cell where v is decided as the target class."""
        here = self.x
        for step in range(self.attack.steps + 1):
            rows = (state.depth <= 0).nonzero()[:, 0]
            if not len(rows):
                break
            points = self.space.round(here[rows], self.x[rows])
            depth, who, sign = self._limit(points, target[rows])
            deeper = depth > state.depth[rows]
            state.best = state.best.index_copy(0, rows[deeper], points[deeper])
            state.depth = state.depth.index_copy(0, rows[deeper], depth[deeper])
            state.looks += len(rows)
            out = depth <= 0
            rows, who, sign = rows[out], who[out], sign[out]
            if step < self.attack.steps and len(rows):
                direction = sign.unsqueeze(1) * self._slope(here[rows], who, target[rows], step)
                share = FIRST_SIZE * (LAST_SIZE / FIRST_SIZE) ** (step / self.attack.steps)
                there = here[rows] + share * self.radius[rows] * direction.to(here.dtype)
                here = here.index_copy(0, rows, self.space.project(there, self.x[rows]))
                state.n_gradients += len(rows)

    def _limit(self, points: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the depth, the person who limits it (−1 for v), and how their loss must move.

        The loss is the margin loss against the target class: 1 where it must rise, −1 where fall.
        """
        size = self.attack.batch_size
        loss, row = worst_of_all(self.model, points, target, self.counterparts, Margin(), size)
        if self.attack.cell.endswith("F"):
            return -loss, row, torch.full_like(loss, -1.0)
        own = -Margin().value(own_scores(self.model, points, size), target)
        by_v = own < loss
        who = torch.where(by_v, -1, row)
        return torch.minimum(own, loss), who, torch.where(by_v, -1.0, 1.0)

    def _slope(self, here: Tensor, who: Tensor, target: Tensor, step: int) -> Tensor:
        """Return the signs of the margin loss's derivatives at the person who limits the depth."""
        people = self.counterparts.take(here, who)
        leaky = self.attack.leaky and step % 2 == 1
        model = LeakyGradient(self.model) if leaky else self.model
        slope = gradient_directions(model, people, target, Margin(), self.attack.batch_size)
        check_result(slope)
        return slope.sign()
