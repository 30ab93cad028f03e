"""The loop that Algorithms 1 and 2 share: counterpart, directions, step, projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.models import require_gradient
from rafair.problem.batching import BatchSize, all_finite
from rafair.problem.gradients import GradientRows, counterpart_gradient_norms, gradient_rows
from rafair.problem.losses import make_loss
from rafair.problem.validation import check_problem, check_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.losses import Loss
    from rafair.problem.space import PerturbationSpace

__all__ = [
    "AttackResult",
    "CounterpartRule",
    "PairTrajectory",
    "Trajectory",
    "Walk",
    "check_result",
    "step_vector",
    "walk",
]

CounterpartRule: TypeAlias = Literal["every_step", "first"]
COUNTERPART_RULES: tuple[CounterpartRule, ...] = ("every_step", "first")

# Stands for log 0 where a gradient is exactly zero: lower than any norm, but still a counterpart.
ZERO_GRADIENT = -1e300


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Every point that a search visits, the start included.

    Attributes
    ----------
    points : Tensor, shape (steps + 1, n, d), unit space
        The iterates as the judge sees them: rounded where Δ has a lattice. With restarts, those of
        one start after the other.
    """

    points: Tensor


@dataclass(frozen=True, eq=False)
class PairTrajectory(Trajectory):
    """A walk's points and, along them, the losses of an instance and its counterpart.

    Attributes
    ----------
    points : Tensor, shape (steps + 1, n, d)
    losses : Tensor, shape (steps, n, 2), float64
        l(y, f(v)) and l(y, f(v')) before each step, v' the counterpart of that step.
    counterparts : Tensor of int64, shape (steps, n)
        Row of the grid that v' came from; −1 where I(v) holds nobody but v.
    still : Tensor, shape (steps,), float64
        Share of seeds that no feature was allowed to move in that step.
    """

    losses: Tensor
    counterparts: Tensor
    still: Tensor


@dataclass(frozen=True, eq=False)
class AttackResult:
    """The instances that an attack or a repair ends with, how they came about and what they cost.

    Attributes
    ----------
    x_adv : Tensor, shape (n, d), unit space, in x's type
        The last iterates.
    trajectory : Trajectory or None
        All iterates; None for an attack that has none.
    n_gradients, n_forwards : int
        Rows differentiated, and rows only predicted; equal ones count each, though they may be
        computed once, so that neither depends on who else is in the batch.
    """

    x_adv: Tensor
    trajectory: Trajectory | None
    n_gradients: int
    n_forwards: int = 0


class Walk(Protocol):
    """The parameters that a walk reads; an attack's dataclass has them as fields."""

    @property
    def steps(self) -> int:
        """Number of iterations."""
        ...

    @property
    def step_size(self) -> float | Sequence[float]:
        """Length of a step in unit space, one number or one per feature."""
        ...

    @property
    def loss(self) -> str | Loss:
        """Name of a loss, or a loss."""
        ...

    @property
    def counterpart(self) -> CounterpartRule:
        """When the counterpart is chosen: at every step, or only at the first."""
        ...

    @property
    def batch_size(self) -> BatchSize:
        """Rows that go through the model at once."""
        ...


def walk(
    walk: Walk,
    choose_direction: Callable[[Tensor, Tensor], Tensor],
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
) -> AttackResult:
    """Take ``walk.steps`` projected sign steps from each seed.

    Parameters
    ----------
    choose_direction : callable
        From the signs of the gradients at v and at v', both (n, d) with entries −1, 0, 1, to the
        direction of the step, (n, d) with entries −1, 0, 1.

    Raises
    ------
    InvalidInput
        See ``check_problem``; also for a model without gradients, or a step that is no number.

    Source: Li et al., arXiv:2404.01356v1, the loop of Algorithms 1 and 2.
    """
    who = type(walk).__name__
    require_gradient(model, who)
    check_problem(model, x, y, counterparts, space)
    loss = make_loss(walk.loss)
    step_size = step_vector(walk.steps, walk.step_size, x)
    if walk.counterpart not in COUNTERPART_RULES:
        raise InvalidInput(
            f"unknown counterpart {walk.counterpart!r}; use {' or '.join(COUNTERPART_RULES)}"
        )
    n, movable = len(x), space.movable(x)
    is_self = counterparts.is_self(x)  # for good: sensitive features never move
    state = _State.at(x)
    points, losses, chosen, still = [space.round(x, x)], [], [], []
    n_gradients = 0
    for step in range(walk.steps):
        rows = state.moving
        if len(rows):
            here, labels = state.x[rows], y[rows]
            nearest = state.counterpart[rows]
            if step == 0 or walk.counterpart == "every_step":
                nearest = _similar_counterpart(
                    model, here, labels, counterparts, is_self[rows], loss, walk.batch_size
                )
                n_gradients += len(rows) * len(counterparts)
            others = counterparts.take(here, nearest)
            own, other = _both_gradients(model, here, others, labels, loss, walk.batch_size)
            n_gradients += 2 * len(rows)
            direction = choose_direction(own.direction.sign(), other.direction.sign()).to(x.dtype)
            direction = torch.where(movable, direction, torch.zeros_like(direction))
            there = space.project(here + step_size * direction, x[rows])
            pair = torch.stack([own.loss, other.loss], dim=1)
            state = state.moved(rows, there, nearest, pair, (direction == 0).all(dim=1))
        points.append(space.round(state.x, x))
        losses.append(state.losses)
        chosen.append(state.counterpart)
        still.append(state.still.to(torch.float64).mean())
    trajectory = PairTrajectory(
        torch.stack(points),
        torch.stack(losses) if losses else torch.empty(0, n, 2, dtype=torch.float64),
        torch.stack(chosen) if chosen else torch.empty(0, n, dtype=torch.int64),
        torch.stack(still) if still else torch.empty(0, dtype=torch.float64),
    )
    return AttackResult(points[-1], trajectory, n_gradients)


@dataclass(frozen=True, eq=False)
class _State:
    """Where a walk is.

    A step depends on nothing but the point, so a seed that a step left in place stays there for
    good: only the others are in ``moving``.
    """

    x: Tensor  # (n, d)
    counterpart: Tensor  # (n,), row of the grid
    losses: Tensor  # (n, 2), at x and at its counterpart
    still: Tensor  # (n,), bool: no feature had a direction
    moving: Tensor  # (moving,), row numbers

    @classmethod
    def at(cls, x: Tensor) -> _State:
        n, everyone = len(x), torch.arange(len(x), device=x.device)
        losses = torch.zeros(n, 2, dtype=torch.float64, device=x.device)
        return cls(x, torch.zeros_like(everyone), losses, everyone < 0, everyone)

    def moved(
        self, rows: Tensor, there: Tensor, nearest: Tensor, losses: Tensor, still: Tensor
    ) -> _State:
        """Put these rows at their new places."""
        return _State(
            self.x.index_copy(0, rows, there),
            self.counterpart.index_copy(0, rows, nearest),
            self.losses.index_copy(0, rows, losses),
            self.still.index_copy(0, rows, still),
            rows[(there != self.x[rows]).any(dim=1)],
        )


def step_vector(steps: int, step_size: float | Sequence[float], x: Tensor) -> Tensor:
    """Return the step size as a tensor of x's type, a scalar or one number per feature.

    Raises
    ------
    InvalidInput
        If ``steps`` is no whole number, or ``step_size`` negative, not finite or too long.
    """
    try:
        vector = torch.as_tensor(step_size, dtype=x.dtype, device=x.device)
    except (TypeError, ValueError) as error:
        raise InvalidInput("step_size must be a number or one number per feature") from error
    check_step(steps, vector, x.shape[1])
    return vector


def _similar_counterpart(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    is_self: Tensor,
    loss: Loss,
    batch_size: BatchSize,
) -> Tensor:
    """Return the row of the grid with the largest gradient, v excluded; −1 where only v is left.

    The lowest row wins a tie (``torch.argmax`` returns the first maximum).
    """
    chosen = []
    for block in counterparts.blocks(len(x)):
        seeds = x[block]
        norms = counterpart_gradient_norms(model, seeds, y[block], counterparts, loss, batch_size)
        norms = norms.clamp_min(ZERO_GRADIENT)
        excluded = is_self[block] | ~counterparts.valid(seeds)
        index = norms.masked_fill(excluded, -torch.inf).argmax(dim=1)
        chosen.append(index.masked_fill(excluded.all(dim=1), -1))
    return torch.cat(chosen)


def _both_gradients(
    model: Classifier, v: Tensor, w: Tensor, y: Tensor, loss: Loss, batch_size: BatchSize
) -> tuple[GradientRows, GradientRows]:
    both = gradient_rows(model, torch.cat([v, w]), torch.cat([y, y]), loss, batch_size)
    check_result(both.direction)
    n = len(v)
    halves = (
        GradientRows(both.direction[part], both.log_scale[part], both.loss[part])
        for part in (slice(None, n), slice(n, None))
    )
    own, other = halves
    return own, other


def check_result(values: Tensor) -> None:
    """Refuse gradients, or points that came of them, that are no numbers.

    Raises
    ------
    InvalidInput
    """
    if not all_finite(values):
        raise InvalidInput("the model's gradient is NaN or infinite; it cannot be attacked by it")
