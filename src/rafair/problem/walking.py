"""The loop of Algorithms 1 and 2: choose a counterpart and a direction, step, project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.models import require_gradient
from rafair.problem.batching import BatchSize, all_finite
from rafair.problem.compiled_walk import Way, compiled_walk, is_compiled
from rafair.problem.dense import dense_network
from rafair.problem.gradients import GradientRows, counterpart_gradient_norms, gradient_rows
from rafair.problem.losses import make_loss
from rafair.problem.threads import torch_asleep
from rafair.problem.trajectories import AttackResult, PairTrajectory
from rafair.problem.validation import check_problem, check_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.losses import Loss
    from rafair.problem.space import PerturbationSpace

__all__ = [
    "CounterpartRule",
    "Walk",
    "check_result",
    "step_vector",
    "walk",
]

CounterpartRule: TypeAlias = Literal["every_step", "first"]
COUNTERPART_RULES: tuple[CounterpartRule, ...] = ("every_step", "first")

# Replaces log 0 where a gradient is exactly zero. It is lower than every norm, but above the −∞ of
# rows that must not be chosen.
ZERO_GRADIENT = -1e300
# Gradient norms that are held at once.
NORMS = 1 << 20


class Walk(Protocol):
    """The parameters of a walk; an attack's dataclass has them as fields."""

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
    model : Classifier
        Wrapped, with gradients.
    x : Tensor, shape (n, d), unit space
        The seeds. Not modified.
    y : Tensor of int64, shape (n,)
    counterparts : Counterparts
    space : PerturbationSpace

    Returns
    -------
    AttackResult
        The last iterates, rounded to possible points; the trajectory is a ``PairTrajectory``.

    Raises
    ------
    InvalidInput
        See ``check_problem``, ``make_loss`` and ``step_vector``; also for a model without
        gradients, an unknown rule for the counterpart, or a gradient that is not finite.

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
    chooses = [step == 0 or walk.counterpart == "every_step" for step in range(walk.steps)]
    way = Way(counterparts, space, step_size, chooses, choose_direction)
    network = dense_network(model)
    if network is not None and is_compiled(network, loss, x, way):
        with torch_asleep():
            trajectory, n_gradients = compiled_walk(network, loss, x, y, way)
        check_result(trajectory.points)
    else:
        trajectory, n_gradients = _torch_walk(model, loss, x, y, way, walk.batch_size)
    points = torch.stack([space.round(iterate, x) for iterate in trajectory.points])
    rounded = replace(trajectory, points=points, after_steps=points[1:])
    return AttackResult(points[-1], rounded, n_gradients)


def _torch_walk(
    model: Classifier, loss: Loss, x: Tensor, y: Tensor, way: Way, batch_size: BatchSize
) -> tuple[PairTrajectory, int]:
    """Do what ``compiled_walk`` does, for any model."""
    n, movable, counterparts = len(x), way.space.movable(x), way.counterparts
    is_self = counterparts.is_self(x)  # constant: sensitive features never move
    state = _State.at(x)
    points, losses, chosen, still = [x], [], [], []
    n_gradients = 0
    for chooses in way.chooses:
        rows = state.moving
        if len(rows):
            here, labels = state.x[rows], y[rows]
            nearest = state.counterpart[rows]
            if chooses:
                nearest = _similar_counterpart(
                    model, here, labels, counterparts, is_self[rows], loss, batch_size
                )
                n_gradients += len(rows) * len(counterparts)
            others = counterparts.take(here, nearest)
            own, other = _both_gradients(model, here, others, labels, loss, batch_size)
            n_gradients += 2 * len(rows)
            direction = way.choose_direction(own.direction.sign(), other.direction.sign())
            direction = torch.where(movable, direction.to(x.dtype), torch.zeros_like(here))
            there = way.space.project(here + way.step_size * direction, x[rows])
            pair = torch.stack([own.loss, other.loss], dim=1)
            state = state.moved(rows, there, nearest, pair, (direction == 0).all(dim=1))
        points.append(state.x)
        losses.append(state.losses)
        chosen.append(state.counterpart)
        still.append(state.still.to(torch.float64).mean())
    trajectory = PairTrajectory(
        torch.stack(points),
        torch.stack(losses) if losses else torch.empty(0, n, 2, dtype=torch.float64),
        torch.stack(chosen) if chosen else torch.empty(0, n, dtype=torch.int64),
        torch.stack(still) if still else torch.empty(0, dtype=torch.float64),
    )
    return trajectory, n_gradients


@dataclass(frozen=True, eq=False)
class _State:
    """The state of a walk.

    A step depends on the current point only. A seed that one step leaves in place therefore never
    moves again, and ``moving`` has only the other seeds.
    """

    x: Tensor  # (n, d)
    counterpart: Tensor  # (n,), row of the grid
    losses: Tensor  # (n, 2), at x and at its counterpart
    still: Tensor  # (n,), bool: the direction was 0 in every feature
    moving: Tensor  # (moving,), row numbers

    @classmethod
    def at(cls, x: Tensor) -> _State:
        n, everyone = len(x), torch.arange(len(x), device=x.device)
        losses = torch.zeros(n, 2, dtype=torch.float64, device=x.device)
        return cls(x, torch.zeros_like(everyone), losses, everyone < 0, everyone)

    def moved(
        self, rows: Tensor, there: Tensor, nearest: Tensor, losses: Tensor, still: Tensor
    ) -> _State:
        """Return the state after some rows have made a step."""
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
        If ``step_size`` is no number and no vector of numbers; see also ``check_step``.
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
    """Return the row of the grid whose counterpart has the largest gradient, shape (n,).

    v itself and combinations that are not possible people are excluded; −1 if none remains. On a
    tie the lowest row is chosen (``torch.argmax`` returns the first maximum).
    """
    chosen = []
    for block in counterparts.blocks(len(x), NORMS):
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
    """Refuse gradients, or points computed from them, with NaN or infinity.

    Raises
    ------
    InvalidInput
    """
    if not all_finite(values):
        raise InvalidInput("the model's gradient is NaN or infinite; it cannot be attacked by it")
