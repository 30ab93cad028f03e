"""Search for discrimination within I(v): what ADF, EIDIG and DICE share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from rafair.models import require_gradient
from rafair.problem import Noise, check_problem, gradient_rows
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.trajectories import AttackResult
from rafair.problem.walking import check_result, step_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace

__all__ = [
    "DiscriminationSearch",
    "Problem",
    "concatenated",
    "draw_column",
    "draw_member",
    "inverse_saliency",
]

# Added to saliencies whose largest is 1, so that a feature without any has a finite weight.
LEAST_SALIENCY = 1e-6

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class DiscriminationSearch(ABC):
    """Look for a point where the model does not decide alike for everybody in I(v).

    A global phase moves many features of a seed at a time; a local phase then moves one feature at
    a time. The search does not use the labels.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
        The sources' perturbation size, which is 1 on integer-coded features.
    steps : int
        Iterations of both phases together.
    random_state : int
        Of what is drawn: the features to move, and people among the counterparts.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    # By keyword only, so that a subclass's own parameters follow on ``steps``.
    random_state: int = field(default=0, kw_only=True)
    batch_size: BatchSize = field(default=AUTO, kw_only=True)

    @abstractmethod
    def search(self, problem: Problem) -> AttackResult:
        """Search from each seed of a problem."""

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. The labels are checked, but not used."""
        require_gradient(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        step_size = step_vector(self.steps, self.step_size, x)
        noise = Noise.of(x, torch.zeros_like(y), self.random_state)
        problem = Problem(model, x, counterparts, space, step_size, noise, self.batch_size)
        return self.search(problem)


@dataclass(frozen=True, eq=False)
class Problem:
    """n seeds with their counterparts and their Δ, and the steps that a search takes there."""

    model: Classifier
    x: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    step_size: Tensor
    noise: Noise
    batch_size: BatchSize

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.x)

    @property
    def movable(self) -> Tensor:
        """Which features may move, shape (d,), bool."""
        return self.space.movable(self.x)

    def round(self, points: Tensor) -> Tensor:
        """Return a possible point of Δ near that of each seed, shape (n, d)."""
        return self.space.round(points, self.x)

    def step(self, points: Tensor, direction: Tensor, rows: Tensor) -> Tensor:
        """Move the points of these seeds, within Δ; features that may not move stay."""
        direction = torch.where(self.movable, direction, torch.zeros_like(direction))
        there = points + self.step_size * direction.to(points.dtype)
        return self.space.project(there, self.x[rows])

    def pair_gradients(
        self, v: Tensor, w: Tensor, labels: tuple[Tensor, Tensor], loss: Loss
    ) -> tuple[Tensor, Tensor]:
        """Return ∇ₓ of a loss at both members of each pair, (n, d) each, float64."""
        both = gradient_rows(
            self.model, torch.cat([v, w]), torch.cat(labels), loss, self.batch_size
        )
        check_result(both.direction)
        first, second = both.full.chunk(2)
        return first, second

    def random_direction(self, weight: Tensor, rows: Tensor, stream: int) -> Tensor:
        """Draw one feature of each of these seeds by its weight, and a sign; shape (rows, d)."""
        drawn = self.noise.uniform(stream, 2)[rows]
        feature = draw_column(weight, drawn[:, 0])
        sign = torch.where(drawn[:, 1:] < 0.5, -1.0, 1.0).to(torch.float64)
        return torch.zeros_like(weight).scatter(1, feature.unsqueeze(1), sign)


def draw_column(weight: Tensor, drawn: Tensor) -> Tensor:
    """Draw a column of each row with a probability proportional to its weight.

    Parameters
    ----------
    weight : Tensor, shape (n, columns), not negative.
    drawn : Tensor, shape (n,), in [0, 1).
    """
    cumulative = weight.cumsum(dim=1)
    return (cumulative > (drawn * cumulative[:, -1]).unsqueeze(1)).int().argmax(dim=1)


def draw_member(members: Tensor, drawn: Tensor) -> Tensor:
    """Draw one of the true columns of each row, all equally likely; the first if none is true."""
    rank = members.cumsum(dim=1)
    wanted = (drawn * rank[:, -1]).floor().to(rank.dtype) + 1
    return (members & (rank == wanted.unsqueeze(1))).int().argmax(dim=1)


def inverse_saliency(first: Tensor, second: Tensor, movable: Tensor) -> Tensor:
    """Weigh features by the reciprocal of |g| + |g'|, so that those that matter little are drawn.

    Returns
    -------
    Tensor, shape (n, d), float64; zero where a feature may not move.
    """
    saliency = first.abs() + second.abs()
    saliency = saliency / saliency.amax(dim=1, keepdim=True).clamp_min(torch.finfo().tiny)
    return movable / (saliency + LEAST_SALIENCY)


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Join dataclasses of tensors along their rows."""
    kind: Any = type(parts[0])
    names = [each.name for each in fields(kind)]
    joined: Rows = kind(*(torch.cat([getattr(part, name) for part in parts]) for name in names))
    return joined
