"""What a network learns from: people, their labels, and the people in I(v) × Δ around each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.certificates.boxes import hull
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Batch", "Task"]

# People who are held back: this share, and at most so many.
HELD_BACK, MOST_HELD_BACK = 0.1, 1000


@dataclass(frozen=True, eq=False)
class Task:
    """n people to learn from, with I(v) and Δ.

    Attributes
    ----------
    x : Tensor, shape (n, d), float32, unit space
    y : Tensor of int64, shape (n,)
    weights : Tensor, shape (k,), float32
        Weight of each class in the loss; their mean over the people is 1.
    low, high : Tensor, shape (n, d), float32
        Corners of the smallest box around I(v) × Δ. Where relations or a lattice leave people out,
        the box still holds them: what is proved of the box is proved of everybody in it.
    counterparts : Counterparts or None
        I(v); None where no column is sensitive.
    space : PerturbationSpace
    """

    x: Tensor
    y: Tensor
    weights: Tensor
    low: Tensor
    high: Tensor
    counterparts: Counterparts | None
    space: PerturbationSpace

    @classmethod
    def of(
        cls,
        x: Tensor,
        y: Tensor,
        n_classes: int,
        counterparts: Counterparts | None,
        space: PerturbationSpace,
        balance: float = 0.0,
    ) -> Task:
        """Return the task of people x, (n, d), with labels y, (n,).

        Parameters
        ----------
        balance : float in [0, 1]
            Class c weighs (n / (k · n_c)) ** balance: 0 weighs people alike, 1 classes alike.

        Raises
        ------
        InvalidInput
            If ``balance`` lies outside [0, 1].
        """
        if not 0 <= balance <= 1:
            raise InvalidInput(f"balance must lie in [0, 1], not {balance}")
        wide = x.to(torch.float64)
        low, high = space.hull(wide) if counterparts is None else hull(wide, counterparts, space)
        sizes = y.bincount(minlength=n_classes).clamp_min(1).double()
        weights = (len(y) / (n_classes * sizes)) ** balance
        weights = weights * len(y) / weights[y].sum()
        return cls(x.float(), y, weights.float(), low.float(), high.float(), counterparts, space)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> Task:
        """Return the task of some of the people."""
        return Task(
            self.x[rows],
            self.y[rows],
            self.weights,
            self.low[rows],
            self.high[rows],
            self.counterparts,
            self.space,
        )

    def parted(self, generator: torch.Generator) -> tuple[Task, Task]:
        """Return random people to learn from, and those who are held back to choose the epoch."""
        order = torch.randperm(len(self), generator=generator)
        n_held = min(MOST_HELD_BACK, math.ceil(HELD_BACK * len(self)))
        people = self.take(order[n_held:]) if len(self) > n_held else self
        return people, self.take(order[:n_held])

    @property
    def sensitive(self) -> list[int]:
        """The sensitive columns."""
        return [] if self.counterparts is None else list(self.counterparts.columns)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the people of a task, at one step of the training.

    Attributes
    ----------
    people : Task
    instances : Tensor, shape (n, d), float32
        What ``Method.renewed`` keeps for each of them.
    reach : float
        The share of Δ and I(v) that counts at this step: it grows from 0 to 1.
    generator : torch.Generator
    """

    people: Task
    instances: Tensor
    reach: float
    generator: torch.Generator

    @property
    def x(self) -> Tensor:
        """The people, (n, d)."""
        return self.people.x

    @property
    def y(self) -> Tensor:
        """Their labels, (n,)."""
        return self.people.y

    def box(self) -> tuple[Tensor, Tensor]:
        """Return the corners of the box around I(v) × Δ, shrunk towards v, each (n, d)."""
        x, people = self.x, self.people
        return torch.lerp(x, people.low, self.reach), torch.lerp(x, people.high, self.reach)

    def around(self, person: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of Δ alone for one counterpart of each v, (n, d)."""
        low, high = (corner.clone() for corner in self.box())
        columns = self.people.sensitive
        low[:, columns] = high[:, columns] = person[:, columns]
        return low, high

    def counterparts(self) -> Tensor:
        """Return a random member of I(v) for each v, shape (n, d); v where it has no other."""
        everyone = self.people.counterparts
        assert everyone is not None  # noqa: S101 - the loop refuses such methods before
        if everyone.varies:
            valid = everyone.valid(self.x)
            nobody = ~valid.any(dim=1)
            weights = valid.float() + nobody[:, None]
            index = torch.multinomial(weights, 1, generator=self.generator)[:, 0]
            return everyone.take(self.x, index.masked_fill(nobody, -1))
        index = torch.randint(len(everyone), (len(self.x),), generator=self.generator)
        return everyone.take(self.x, index)
