"""Gradient ascent on a loss over Δ: what FGSM, PGD, APGD, ACG and MultiAPGD share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.models import require_gradient
from rafair.problem import Noise, check_problem, forward_rows, gradient_rows, make_loss
from rafair.problem.batching import all_finite, rows_per_call
from rafair.problem.gradients import gradient_directions
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.problem.walking import check_result

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts, GradientRows, Loss, PerturbationSpace

__all__ = ["Ascent", "GradientAscent", "Objective"]


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss l(y, f(v)) to maximise, for n seeds over their Δ.

    Attributes
    ----------
    x : Tensor, shape (n, d)
        The seeds.
    low, high : Tensor, shape (n, d)
        The corners of Δ around each seed.
    """

    model: Classifier
    x: Tensor
    y: Tensor
    loss: Loss
    low: Tensor
    high: Tensor
    batch_size: BatchSize

    @property
    def radius(self) -> Tensor:
        """How far each feature may move, shape (n, d): ε where the domain does not cut it."""
        return torch.maximum(self.high - self.x, self.x - self.low)

    def gradient(self, points: Tensor, iteration: int) -> GradientRows:  # noqa: ARG002
        """Differentiate the loss at n points.

        Parameters
        ----------
        iteration : int
            Number of steps before this one. An objective may depend on it; this one does not.

        Raises
        ------
        InvalidInput
            If a derivative is NaN, whose sign would be 0, or infinite.
        """
        found = gradient_rows(self.model, points, self.y, self.loss, self.batch_size)
        check_result(found.direction)
        return found

    def sign(self, points: Tensor) -> Tensor:
        """Return the signs of the loss's derivatives at n points, shape (n, d).

        Raises
        ------
        InvalidInput
            If a derivative is NaN or infinite.
        """
        found = gradient_directions(self.model, points, self.y, self.loss, self.batch_size)
        check_result(found)
        return found.sign()

    def value(self, points: Tensor) -> Tensor:
        """Return the loss at n points, shape (n,), float64."""
        size = rows_per_call(self.batch_size, self.model)
        pieces = zip(torch.split(points, size), torch.split(self.y, size), strict=True)
        return torch.cat([self.loss.value(forward_rows(self.model, p), y) for p, y in pieces])

    def clip(self, points: Tensor) -> Tensor:
        """Return the nearest point of Δ to each of n points."""
        return torch.minimum(torch.maximum(points, self.low), self.high)

    def random_point(self, noise: Noise, stream: int) -> Tensor:
        """Draw a point of Δ for each seed, uniformly."""
        share = noise.uniform(stream, self.x.shape[1]).to(self.x.dtype)
        return self.clip(self.low + share * (self.high - self.low))


@dataclass(frozen=True, eq=False)
class Ascent:
    """What one start led to: every point, the one that stands for the seed, and its cost."""

    points: Tensor  # (iterates, n, d)
    n_steps: int  # the last so many points are those after each step
    x_adv: Tensor  # (n, d)
    n_gradients: int
    n_forwards: int


class GradientAscent(ABC):
    """Climb a loss from one start or several; the end with the largest loss stands for a seed.

    A subclass is a frozen dataclass. It declares the attributes below that it takes as parameters;
    the others keep the values given here. Δ must be bounded.

    Attributes
    ----------
    loss : {"cross_entropy", "margin", "mse"} or Loss
    random_start : bool
        Begin at a uniform point of Δ instead of the seed.
    restarts : int
        Number of starts; all but the first are random in any case.
    random_state : int
        Of the random starts.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    # Not fields: those of a base come first in the constructor, before a subclass's own parameters.
    loss: str | Loss
    random_start: bool = False
    restarts: int = 1
    random_state: int = 0
    batch_size: BatchSize

    @abstractmethod
    def climb(self, objective: Objective, start: Tensor) -> Ascent:
        """Climb from one point for each seed, shape (n, d)."""

    def objective(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> Objective:
        """Check the problem and return what is climbed: the loss at v, without its counterparts.

        Raises
        ------
        InvalidInput
            See ``Attack.run``; also if Δ is unbounded.
        """
        attack = type(self).__name__
        require_gradient(model, attack)
        low, high = check_problem(model, x, y, counterparts, space)
        if not all_finite(high - low):
            raise InvalidInput(f"{attack} needs a bounded Δ; give a finite epsilon")
        return Objective(model, x, y, make_loss(self.loss), low, high, self.batch_size)

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        objective = self.objective(model, x, y, counterparts, space)
        found = [self.climb(objective, start) for start in self._starts(objective)]
        ends = torch.stack([space.round(ascent.x_adv, x) for ascent in found])
        points = torch.cat([x.unsqueeze(0), *(ascent.points for ascent in found)])
        if space.has_gaps:
            points = torch.stack([space.round(iterate, x) for iterate in points])
        runs = torch.split(points[1:], [len(ascent.points) for ascent in found])
        walked = [r[len(r) - a.n_steps :] for r, a in zip(runs, found, strict=True)]
        trajectory = Trajectory(points, after_steps=torch.cat(walked))
        n_gradients = sum(ascent.n_gradients for ascent in found)
        n_forwards = sum(ascent.n_forwards for ascent in found)
        if len(found) > 1:
            n_forwards += len(found) * len(x)
        return AttackResult(_best(objective, ends), trajectory, n_gradients, n_forwards)

    def _starts(self, objective: Objective) -> list[Tensor]:
        check_whole("restarts", self.restarts, 1)
        noise = Noise.of(objective.x, objective.y, self.random_state)
        return [
            objective.random_point(noise, run) if run or self.random_start else objective.x
            for run in range(self.restarts)
        ]


def _best(objective: Objective, ends: Tensor) -> Tensor:
    """Return the end with the largest loss of each seed, of (starts, n, d); the first on ties."""
    if len(ends) == 1:
        return ends[0]
    best = torch.stack([objective.value(end) for end in ends]).argmax(dim=0)
    return ends[best, torch.arange(len(best), device=best.device)]
