"""Gradient ascent with a step size that adapts itself: what APGD, ACG and MultiAPGD share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from rafair.attacks.ascent import Ascent, GradientAscent, Objective
from rafair.checks import check_share, check_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AdaptiveAscent", "Iterate", "Memory", "checkpoints"]

# What an attack remembers of the steps before: tensors of shape (n, d).
Memory: TypeAlias = "tuple[Tensor, ...]"


@dataclass(frozen=True, eq=False)
class Iterate:
    """A point of each seed, and what the next step is computed from."""

    x: Tensor  # (n, d)
    gradient: Tensor  # (n, d), float64
    loss: Tensor  # (n,), float64
    memory: Memory

    def where(self, chosen: Tensor, other: Iterate) -> Iterate:
        """Take the other iterate for the chosen seeds."""
        wide = chosen.unsqueeze(1)
        pairs = zip(self.memory, other.memory, strict=True)
        return Iterate(
            torch.where(wide, other.x, self.x),
            torch.where(wide, other.gradient, self.gradient),
            torch.where(chosen, other.loss, self.loss),
            tuple(torch.where(wide, theirs, own) for own, theirs in pairs),
        )


class AdaptiveAscent(GradientAscent):
    """Climb with a step size that starts at 2ε and is halved where it no longer helps.

    At a checkpoint a seed's step size is halved, and the search goes on from its best point, if the
    loss rose in fewer than ``rho`` of the steps since the last checkpoint, or if neither the step
    size nor the best loss has changed since then. The point with the largest loss stands for the
    seed. Cost: ``restarts · steps`` gradients of n rows, and ``restarts`` forward passes of n rows,
    with several starts twice as many.

    Attributes
    ----------
    steps : int
        N_iter.
    rho : float
        The share of steps that must have raised the loss for the step size to be kept.

    Source: Croce and Hein, ICML 2020, Algorithm 1 and its two conditions.
    """

    steps: int
    rho: float

    def __post_init__(self) -> None:
        check_whole("steps", self.steps, 0)
        check_share("rho", self.rho)

    @abstractmethod
    def first_memory(self, start: Tensor) -> Memory:
        """Return the memory at a start, shape (n, d), before any step."""

    @abstractmethod
    def step(
        self, objective: Objective, here: Iterate, size: Tensor, iteration: int
    ) -> tuple[Tensor, Memory]:
        """Take a step of size (n, d): return the next point, not yet clipped, and its memory."""

    def climb(self, objective: Objective, start: Tensor) -> Ascent:
        """Climb from one point for each seed, shape (n, d); keep the best point visited."""
        n, marks, points = len(start), checkpoints(self.steps), [start]
        here = best = _evaluated(objective, start, self.first_memory(start), 0)
        sizes = _StepSizes.at(objective, best.loss)
        for iteration in range(self.steps):
            there, memory = self.step(objective, here, sizes.size, iteration)
            last = iteration + 1 == self.steps
            reached = _evaluated(objective, objective.clip(there), memory, iteration + 1, last=last)
            points.append(reached.x)
            sizes.note(reached.loss > here.loss)
            best = best.where(reached.loss > best.loss, reached)
            here = reached
            if iteration + 1 in marks:
                here = here.where(sizes.halve(self.rho, best.loss), best)
        n_forwards = n if self.steps else 0
        n_gradients = n * max(self.steps, 1)
        return Ascent(torch.stack(points), self.steps, best.x, n_gradients, n_forwards)


def checkpoints(steps: int) -> tuple[int, ...]:
    """Return the iterations after which the step size may be halved.

    Source: Croce and Hein, ICML 2020, section 3.1: w_j = ⌈p_j N⌉ with p₀ = 0, p₁ = 0.22 and
    p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06).
    """
    percents = [0, 22]  # whole numbers: 0.57 · 100 is more than 57 in floating point
    while percents[-1] <= 100:
        percents.append(percents[-1] + max(percents[-1] - percents[-2] - 3, 6))
    return tuple(sorted({-(-percent * steps // 100) for percent in percents if 0 < percent <= 100}))


def _evaluated(
    objective: Objective, x: Tensor, memory: Memory, iteration: int, *, last: bool = False
) -> Iterate:
    if last:  # no step follows, so that the loss is enough
        nothing = torch.zeros_like(x, dtype=torch.float64)
        return Iterate(x, nothing, objective.value(x), memory)
    found = objective.gradient(x, iteration)
    return Iterate(x, found.full, found.loss, memory)


@dataclass(eq=False)
class _StepSizes:
    """The step size of each seed, and what decides at a checkpoint whether it is halved."""

    size: Tensor  # (n, d)
    best_before: Tensor  # (n,), the best loss at the last checkpoint
    rises: Tensor  # (n,), steps since then that raised the loss
    halved: Tensor  # (n,), bool: halved at the last checkpoint
    steps: int = 0  # since the last checkpoint

    @classmethod
    def at(cls, objective: Objective, loss: Tensor) -> _StepSizes:
        rises = torch.zeros(len(loss), device=objective.x.device)
        return cls(2 * objective.radius, loss, rises, torch.zeros_like(rises, dtype=torch.bool))

    def note(self, rose: Tensor) -> None:
        """Count a step, and the seeds whose loss it raised."""
        self.rises += rose
        self.steps += 1

    def halve(self, rho: float, best: Tensor) -> Tensor:
        """Halve the step sizes that no longer help; return of which seeds, shape (n,), bool."""
        stuck = ~self.halved & (best == self.best_before)
        self.halved = (self.rises < rho * self.steps) | stuck
        self.size = torch.where(self.halved.unsqueeze(1), self.size / 2, self.size)
        self.best_before, self.rises, self.steps = best, torch.zeros_like(self.rises), 0
        return self.halved
