"""The instances an audit starts from, whole and in blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.auditing.plan import Plan
from rafair.auditing.rows import Found, Row, judge_row, tabulate
from rafair.errors import InvalidInput
from rafair.fairness import choose_seeds
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import CrossEntropy
from rafair.problem.validation import n_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.schema import Schema

__all__ = ["Block", "Part", "Seeds", "checked_model", "seeds_per_shard", "silent"]

# Counterpart rows per shard: large enough for full batches, small enough for memory. A GPU needs
# more of them.
SHARD_ROWS, GPU_TIMES = 32_768, 8
# With few counterparts, a shard is smaller than that, so that a long run has at least so many; and
# so many seeds are never cut.
SHARDS, FEW = 16, 256


def silent(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


def seeds_per_shard(n: int, m: int, device: torch.device) -> int:
    """Return how many of n seeds with m counterparts make a shard.

    It depends on nothing else, so that a run can go on with other workers than it began with.
    """
    rows = SHARD_ROWS if device.type == "cpu" else SHARD_ROWS * GPU_TIMES
    return max(1, min(rows // m, max(FEW, math.ceil(n / SHARDS))))


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of the test split in main memory: what a shard is computed from.

    Attributes
    ----------
    index : Tensor of int64, shape (n,)
        Rows of the test split.
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
    """

    index: Tensor
    x: Tensor
    y: Tensor


@dataclass(frozen=True, eq=False)
class Block:
    """Seeds on the model's device, and what is needed to attack and judge them."""

    model: Classifier
    schema: Schema
    plan: Plan
    index: Tensor
    x: Tensor
    y: Tensor

    @classmethod
    def at(cls, model: Classifier, schema: Schema, plan: Plan, part: Part) -> Block:
        """Take a part to the model's device."""
        x, y = (tensor.to(model.device) for tensor in (part.x, part.y))
        return cls(model, schema, plan, part.index, x, y)

    @cached_property
    def counterparts(self) -> Counterparts:
        """I(v)."""
        return self.plan.people(self.schema)

    @cached_property
    def space(self) -> PerturbationSpace:
        """Δ."""
        return self.plan.space(self.schema)

    def judged(self, name: str, candidates: Tensor, only: str | None = None) -> Row:
        """Judge candidates over I(v), or along one sensitive attribute."""
        people = self.counterparts if only is None else self.plan.people(self.schema, only)
        return judge_row(name, candidates, self.model, self.y, people, self.plan.batch_size)

    def found(self, row: Row, origin: Tensor | None = None) -> Found:
        """Return what became of each seed in a row, explained.

        Parameters
        ----------
        origin : Tensor, shape (n, d), optional
            What Δ lies around; by default the seeds.
        """
        x = row.x
        around = self.x if origin is None else origin
        feasible = self.space.contains(x, around) & self.schema.possible(x)
        measure, size = self.plan.measure, self.plan.batch_size
        return Found.of(row, feasible, self.model, self.y, self.counterparts, measure, size)

    def tabulated(self, name: str, stage: str, found: Found) -> pd.DataFrame:
        """Return the instances of a row in original units; one line per seed."""
        y = self.y.cpu()
        return tabulate(found, name, stage, self.index, y, self.schema, self.counterparts)

    def without_gradient(self) -> Tensor | None:
        """Tell at which seeds no movable feature has any: exactly zero, shape (n,), bool.

        None for a model without gradients.
        """
        if self.model.access != "gradient":
            return None
        size = self.plan.batch_size
        slope = gradient_directions(self.model, self.x, self.y, CrossEntropy(), size)
        return (slope[:, self.space.movable(self.x)] == 0).all(dim=1)


@dataclass(frozen=True, eq=False)
class Seeds(Block):
    """The instances an audit starts from, with the data they came from."""

    data: Dataset

    @classmethod
    def of(cls, model: Classifier, data: Dataset, plan: Plan, index: Tensor) -> Seeds:
        """Take these rows of the test split to the model's device."""
        x, y = (part[index].to(model.device) for part in (data.test.x, data.test.y))
        return cls(model, data.schema, plan, index, x, y, data)

    @classmethod
    def chosen(cls, model: Classifier, data: Dataset, plan: Plan) -> Seeds:
        """Choose the seeds that a plan asks for."""
        index = choose_seeds(data.test.x, plan.n_seeds, plan.random_state)
        return cls.of(model, data, plan, index)

    @property
    def per_shard(self) -> int:
        """Seeds that are attacked together."""
        return seeds_per_shard(len(self.y), len(self.counterparts), self.model.device)

    def shards(self) -> Iterator[slice]:
        """Cut the seeds into slices of at most ``SHARD_ROWS`` counterpart rows, or of one seed."""
        n, step = len(self.y), self.per_shard
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def parts(self, size: int) -> list[Part]:
        """Cut the seeds into parts of this size, each with memory of its own."""
        whole = (tensor.cpu() for tensor in (self.index, self.x, self.y))
        pieces = zip(*(torch.split(tensor, size) for tensor in whole), strict=True)
        # A slice would take everybody along where it is pickled.
        return [Part(*(tensor.clone() for tensor in piece)) for piece in pieces]


def checked_model(model: Classifier, data: Dataset) -> Classifier:
    """Return a model that has the data's classes.

    Raises
    ------
    InvalidInput
    """
    found, expected = n_classes(model, data.test.x), len(data.schema.classes)
    if found != expected:
        raise InvalidInput(f"the model has {found} classes, the data {expected}")
    return model
