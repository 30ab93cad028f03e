"""The loop that Algorithms 1 and 2 share: counterpart, directions, step, projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.models import require_gradient
from rafair.problem.batching import BatchSize
from rafair.problem.gradients import GradientRows, counterpart_gradient_norms, gradient_rows
from rafair.problem.losses import make_loss
from rafair.problem.validation import check_problem, check_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.losses import Loss
    from rafair.problem.space import PerturbationSpace

__all__ = ["AttackResult", "CounterpartRule", "Trajectory", "Walk", "walk"]

CounterpartRule: TypeAlias = Literal["every_step", "first"]
COUNTERPART_RULES: tuple[CounterpartRule, ...] = ("every_step", "first")

# Stands for log 0 where a gradient is exactly zero: lower than any norm, but still a counterpart.
ZERO_GRADIENT = -1e300


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Every point of a walk, the start included, and the losses along it.

    Attributes
    ----------
    points : Tensor, shape (steps + 1, n, d), unit space
        The iterates as the judge sees them: rounded where Δ has a lattice.
    losses : Tensor, shape (steps, n, 2), float64
        l(y, f(v)) and l(y, f(v')) before each step, v' the counterpart of that step.
    counterparts : Tensor of int64, shape (steps, n)
        Row of the grid that v' came from; −1 where I(v) holds nobody but v.
    still : Tensor, shape (steps,), float64
        Share of seeds that no feature was allowed to move in that step.
    """

    points: Tensor
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
        Rows differentiated, and rows only predicted.
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
    step_size = _step_size(walk, x)
    if walk.counterpart not in COUNTERPART_RULES:
        raise InvalidInput(
            f"unknown counterpart {walk.counterpart!r}; use {' or '.join(COUNTERPART_RULES)}"
        )
    movable = space.movable(x)
    current, nearest = x, None
    is_self = counterparts.is_self(x)  # for good: sensitive features never move
    points, losses, chosen, still = [space.round(x, x)], [], [], []
    for _ in range(walk.steps):
        if nearest is None or walk.counterpart == "every_step":
            nearest = _similar_counterpart(
                model, current, y, counterparts, is_self, loss, walk.batch_size
            )
        own, other = _both_gradients(
            model, current, counterparts.take(current, nearest), y, loss, walk.batch_size
        )
        direction = choose_direction(own.direction.sign(), other.direction.sign()).to(x.dtype)
        direction = torch.where(movable, direction, torch.zeros_like(direction))
        current = space.project(current + step_size * direction, x)
        points.append(space.round(current, x))
        losses.append(torch.stack([own.loss, other.loss], dim=1))
        chosen.append(nearest)
        still.append((direction == 0).all(dim=1).to(torch.float64).mean())
    n = len(x)
    trajectory = Trajectory(
        torch.stack(points),
        torch.stack(losses) if losses else torch.empty(0, n, 2, dtype=torch.float64),
        torch.stack(chosen) if chosen else torch.empty(0, n, dtype=torch.int64),
        torch.stack(still) if still else torch.empty(0, dtype=torch.float64),
    )
    searches = walk.steps if walk.counterpart == "every_step" else min(walk.steps, 1)
    n_gradients = n * (searches * len(counterparts) + 2 * walk.steps)
    return AttackResult(points[-1], trajectory, n_gradients)


def _step_size(walk: Walk, x: Tensor) -> Tensor:
    try:
        step_size = torch.as_tensor(walk.step_size, dtype=x.dtype, device=x.device)
    except (TypeError, ValueError) as error:
        raise InvalidInput("step_size must be a number or one number per feature") from error
    check_step(walk.steps, step_size, x.shape[1])
    return step_size


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
    if not torch.isfinite(both.direction).all():
        raise InvalidInput("the model's gradient is NaN or infinite; it cannot be attacked by it")
    n = len(v)
    halves = (
        GradientRows(both.direction[part], both.log_scale[part], both.loss[part])
        for part in (slice(None, n), slice(n, None))
    )
    own, other = halves
    return own, other
