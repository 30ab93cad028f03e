"""What the attacks on accuracy share: the loss at v over Δ, random starts, adaptive steps.

FGSM, PGD, APGD and ACG look at the instance itself only; its counterparts play no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from rafair.errors import InvalidInput
from rafair.models import require_gradient
from rafair.problem import Noise, check_problem, forward_rows, gradient_rows, make_loss
from rafair.problem.batching import all_finite, rows_per_call
from rafair.problem.gradients import gradient_directions
from rafair.problem.validation import check_step
from rafair.problem.walking import AttackResult, Trajectory, check_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts, GradientRows, Loss, PerturbationSpace

__all__ = [
    "Ascent",
    "Landscape",
    "adaptive_ascent",
    "check_adaptive",
    "checkpoints",
    "momentum_step",
    "search",
]


@dataclass(frozen=True, eq=False)
class Landscape:
    """The loss l(y, f(·)) of n seeds over their Δ.

    Attributes
    ----------
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

    @classmethod
    def of(
        cls,
        who: str,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
        loss: str | Loss,
        batch_size: BatchSize,
    ) -> Landscape:
        """Check a problem and lay out its Δ.

        Raises
        ------
        InvalidInput
            See ``check_problem``; also for a model without gradients, or an unbounded Δ.
        """
        require_gradient(model, who)
        low, high = check_problem(model, x, y, counterparts, space)
        if not all_finite(high - low):
            raise InvalidInput(f"{who} needs a bounded Δ; give a finite epsilon")
        return cls(model, x, y, make_loss(loss), low, high, batch_size)

    @property
    def radius(self) -> Tensor:
        """How far each feature may move, shape (n, d): ε where the domain does not cut it."""
        return torch.maximum(self.high - self.x, self.x - self.low)

    def gradient(self, points: Tensor, iteration: int) -> GradientRows:  # noqa: ARG002
        """Differentiate the loss at the n points that an iteration starts from.

        Raises
        ------
        InvalidInput
            If a derivative is no number; its sign would be 0.
        """
        found = gradient_rows(self.model, points, self.y, self.loss, self.batch_size)
        check_result(found.direction)
        return found

    def sign(self, points: Tensor) -> Tensor:
        """Return the signs of the loss's derivatives at n points, shape (n, d).

        Raises
        ------
        InvalidInput
            If a derivative is no number.
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
        """Return the nearest points of Δ."""
        return torch.minimum(torch.maximum(points, self.low), self.high)

    def random_point(self, noise: Noise, stream: int) -> Tensor:
        """Draw a point of Δ for each seed, uniformly."""
        share = noise.uniform(stream, self.x.shape[1]).to(self.x.dtype)
        return self.clip(self.low + share * (self.high - self.low))


@dataclass(frozen=True, eq=False)
class Ascent:
    """What one start led to: every point, the one that stands for the seed, and its cost."""

    points: Tensor  # (iterates, n, d)
    x_adv: Tensor  # (n, d)
    n_gradients: int
    n_forwards: int


class Starts(Protocol):
    """The parameters that ``search`` reads; an attack's dataclass has them as fields."""

    @property
    def random_start(self) -> bool:
        """Begin at a random point of Δ instead of the seed."""
        ...

    @property
    def restarts(self) -> int:
        """Number of starts, each at another random point but for the first without noise."""
        ...

    @property
    def random_state(self) -> int:
        """Of the random starts."""
        ...


def search(
    starts: Starts, land: Landscape, space: PerturbationSpace, climb: Callable[[Tensor], Ascent]
) -> AttackResult:
    """Climb from each start and keep, for each seed, the end with the largest loss.

    Raises
    ------
    InvalidInput
        If ``restarts`` is below 1, or the model's gradient is no number.
    """
    if isinstance(starts.restarts, bool) or not isinstance(starts.restarts, int):
        raise InvalidInput(f"restarts must be a whole number, not {starts.restarts!r}")
    if starts.restarts < 1:
        raise InvalidInput(f"restarts must be 1 or more, not {starts.restarts}")
    noise = Noise.of(land.x, land.y, starts.random_state)
    found = [
        climb(land.random_point(noise, run) if run or starts.random_start else land.x)
        for run in range(starts.restarts)
    ]
    ends = torch.stack([space.round(ascent.x_adv, land.x) for ascent in found])
    n_forwards = sum(ascent.n_forwards for ascent in found)
    x_adv = ends[0]
    if len(found) > 1:
        best = torch.stack([land.value(end) for end in ends]).argmax(dim=0)
        x_adv = ends[best, torch.arange(len(best), device=best.device)]
        n_forwards += len(found) * len(x_adv)
    points = torch.cat([land.x.unsqueeze(0), *(ascent.points for ascent in found)])
    if space.has_gaps:
        points = torch.stack([space.round(x, land.x) for x in points])
    n_gradients = sum(ascent.n_gradients for ascent in found)
    return AttackResult(x_adv, Trajectory(points), n_gradients, n_forwards)


def check_adaptive(steps: int, **shares: float) -> None:
    """Refuse a number of steps, or a share, that has no meaning.

    Raises
    ------
    InvalidInput
    """
    check_step(steps, torch.zeros(()))
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InvalidInput(f"{name} must lie in [0, 1], not {share!r}")


def checkpoints(steps: int) -> tuple[int, ...]:
    """Return the iterations after which the step may be halved.

    Source: Croce and Hein, ICML 2020, section 3.1: w_j = ⌈p_j N⌉ with p₀ = 0, p₁ = 0.22 and
    p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06).
    """
    percents = [0, 22]  # whole numbers: 0.57 · 100 is more than 57 in floating point
    while percents[-1] <= 100:
        percents.append(percents[-1] + max(percents[-1] - percents[-2] - 3, 6))
    return tuple(sorted({-(-percent * steps // 100) for percent in percents if 0 < percent <= 100}))


@dataclass(frozen=True, eq=False)
class _Place:
    """A point with what a step is made of there."""

    x: Tensor  # (n, d)
    gradient: Tensor  # (n, d), float64
    loss: Tensor  # (n,), float64
    memory: Tensor  # (n, anything), what the attack carried there

    def where(self, chosen: Tensor, other: _Place) -> _Place:
        """Take the other place for the chosen rows."""
        wide = chosen.unsqueeze(1)
        return _Place(
            torch.where(wide, other.x, self.x),
            torch.where(wide, other.gradient, self.gradient),
            torch.where(chosen, other.loss, self.loss),
            torch.where(wide, other.memory, self.memory),
        )


class Step(Protocol):
    """How an attack goes on from a point."""

    def __call__(
        self, x: Tensor, gradient: Tensor, memory: Tensor, size: Tensor, iteration: int
    ) -> tuple[Tensor, Tensor]:
        """Return the next point, not yet clipped, and the memory to carry there."""
        ...


def momentum_step(land: Landscape, alpha: float) -> Step:
    """Return APGD's step; the memory is the point before.

    Source: Croce and Hein, ICML 2020, Algorithm 1, line 7.
    """

    def take_step(
        x: Tensor, gradient: Tensor, memory: Tensor, size: Tensor, iteration: int
    ) -> tuple[Tensor, Tensor]:
        there = land.clip(x + size * gradient.sign().to(x.dtype))
        if iteration:
            there = x + alpha * (there - x) + (1 - alpha) * (x - memory)
        return there, x

    return take_step


def adaptive_ascent(
    land: Landscape, start: Tensor, steps: int, rho: float, take_step: Step, memory: Tensor
) -> Ascent:
    """Climb with a step that starts at 2ε and is halved where it no longer helps.

    At a checkpoint a seed's step is halved, and the search goes on from its best point, if the loss
    rose in fewer than ``rho`` of the steps since the last checkpoint, or if neither the step nor
    the best loss has changed since. The best point visited stands for the seed.

    Parameters
    ----------
    start : Tensor, shape (n, d).
    take_step : callable
    memory : Tensor, shape (n, anything)
        What ``take_step`` finds at the start; a best point comes back with its own.

    Source: Croce and Hein, ICML 2020, Algorithm 1 and its two conditions.
    """
    size, n = 2 * land.radius, len(start)
    place = _at(land, start, memory, 0)
    best, best_before, points = place, place.loss, [start]
    rises = torch.zeros(n, device=start.device)
    halved = torch.zeros(n, dtype=torch.bool, device=start.device)
    marks, mark_before = checkpoints(steps), 0
    for iteration in range(steps):
        there, memory = take_step(place.x, place.gradient, place.memory, size, iteration)
        reached = _at(land, land.clip(there), memory, iteration + 1, final=iteration == steps - 1)
        points.append(reached.x)
        rises += reached.loss > place.loss
        best = best.where(reached.loss > best.loss, reached)
        place = reached
        if iteration + 1 in marks:
            stuck = ~halved & (best.loss == best_before)
            halved = (rises < rho * (iteration + 1 - mark_before)) | stuck
            size = torch.where(halved.unsqueeze(1), size / 2, size)
            place = place.where(halved, best)
            rises, best_before, mark_before = torch.zeros_like(rises), best.loss, iteration + 1
    return Ascent(torch.stack(points), best.x, n * max(steps, 1), n if steps else 0)


def _at(
    land: Landscape, x: Tensor, memory: Tensor, iteration: int, *, final: bool = False
) -> _Place:
    if final:  # nothing goes on from here: the loss is enough
        return _Place(x, torch.zeros_like(x, dtype=torch.float64), land.value(x), memory)
    found = land.gradient(x, iteration)
    return _Place(x, found.full, found.loss, memory)
