"""The seeds of an audit, all together and in batches, and how they are judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.analysis import explain
from rafair.errors import InvalidInput
from rafair.fairness import Verdict, choose_seeds, dissenting, judge_candidates
from rafair.models import Classifier, parse_device
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import CrossEntropy
from rafair.problem.validation import check_classes
from rafair.runs.instances import tabulate
from rafair.runs.outcomes import Outcome, Pool

if TYPE_CHECKING:
    import pandas as pd

    from rafair.datasets import Dataset
    from rafair.fairness import JudgedCandidates
    from rafair.plans import Plan
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.schema import Schema

__all__ = ["Batch", "SeedRows", "Seeds", "seeds_per_shard"]

# Number of counterpart rows per shard: enough for full batches, few enough for memory. A GPU needs
# more.
SHARD_ROWS, GPU_TIMES = 65_536, 8
# With few counterparts, shards are smaller, so that a long run has at least ``SHARDS`` of them. At
# most ``FEW`` seeds are never split for that reason.
SHARDS, FEW = 16, 256


def seeds_per_shard(n: int, m: int, device: torch.device) -> int:
    """Return the number of seeds per shard, for n seeds with m counterparts each.

    It does not depend on the workers, so that a run can continue with other workers.
    """
    rows = SHARD_ROWS if device.type == "cpu" else SHARD_ROWS * GPU_TIMES
    return max(1, min(rows // m, max(FEW, math.ceil(n / SHARDS))))


@dataclass(frozen=True, eq=False)
class SeedRows:
    """Some rows of the test split in main memory: the part of a batch that a worker is sent.

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
class Batch:
    """Seeds on the model's device, with what is needed to attack and judge them.

    Attributes
    ----------
    index, x, y : see ``SeedRows``.
    """

    model: Classifier
    schema: Schema
    plan: Plan
    index: Tensor
    x: Tensor
    y: Tensor

    @classmethod
    def load(cls, model: Classifier, schema: Schema, plan: Plan, rows: SeedRows) -> Batch:
        """Copy rows to the model's device."""
        x, y = (tensor.to(model.device) for tensor in (rows.x, rows.y))
        return cls(model, schema, plan, rows.index, x, y)

    @cached_property
    def counterparts(self) -> Counterparts:
        """I(v)."""
        return self.plan.people(self.schema)

    @cached_property
    def space(self) -> PerturbationSpace:
        """Δ."""
        return self.plan.space(self.schema)

    def people(self, only: str | None) -> Counterparts:
        """Return I(v), or I(v) along one sensitive attribute."""
        return self.counterparts if only is None else self.plan.people(self.schema, only)

    def judge(self, candidates: Tensor, only: str | None = None) -> JudgedCandidates:
        """Judge candidates, (c, n, d), over I(v) or along one sensitive attribute."""
        people = self.people(only)
        return judge_candidates(self.model, candidates, self.y, people, self.plan.batch_size)

    def dissent(self, instances: Tensor, only: str | None = None) -> Tensor:
        """Return for instances, (t, n, d), the share of counterparts decided otherwise, (t, n)."""
        distinct, place = torch.unique(instances.flatten(0, 1), dim=0, return_inverse=True)
        shares = dissenting(self.model, distinct, self.people(only), self.plan.batch_size)
        return shares[place].view(instances.shape[:2])

    def outcome(self, candidates: Tensor, origin: Tensor | None = None) -> Outcome:
        """Judge candidates, (c, n, d), over I(v), and explain the one that stands for each seed.

        Parameters
        ----------
        origin : Tensor, shape (n, d), optional
            The centres of Δ; by default the seeds.
        """
        judged = self.judge(candidates)
        x = judged.x
        around = self.x if origin is None else origin
        feasible = self.space.contains(x, around) & self.schema.possible(x)
        loss, size = self.plan.measure, self.plan.batch_size
        why = explain(self.model, x, self.y, self.counterparts, loss, batch_size=size)
        alike = why.dissenting if len(candidates) == 1 else self.dissent(candidates).amax(dim=0)
        return Outcome(x, feasible, judged.verdict, why, dissent=(alike,))

    def outcome_by_attribute(self, candidates: Tensor) -> Outcome:
        """Return the outcome of candidates with the verdicts along each sensitive attribute."""
        whole = self.outcome(candidates)
        names = self.schema.sensitive
        alone = tuple(self.judge(candidates, only=name).verdict for name in names)
        shares = (self.dissent(candidates, only=name).amax(dim=0) for name in names)
        return replace(whole, alone=alone, dissent=(*whole.dissent, *shares))

    def with_pool(self, outcome: Outcome, instances: Tensor) -> Outcome:
        """Return the outcome with a pool of instances, (t, n, d), which all count."""

        def judged(only: str | None = None) -> Verdict:
            return Verdict.pooled(self.judge(instances, only).verdicts)

        pool, names = Pool(instances.transpose(0, 1).contiguous(), judged()), self.schema.sensitive
        shares = tuple(self.dissent(instances, only).T.contiguous() for only in (None, *names))
        return replace(outcome, pool=pool, alone=tuple(map(judged, names)), dissent=shares)

    def without_gradient(self) -> Tensor | None:
        """Tell for which seeds the gradient of every movable feature is exactly zero.

        Returns
        -------
        Tensor of bool, shape (n,), or None for a model without gradients.
        """
        if self.model.access != "gradient":
            return None
        size = self.plan.batch_size
        slope = gradient_directions(self.model, self.x, self.y, CrossEntropy(), size)
        return (slope[:, self.space.movable(self.x)] == 0).all(dim=1)


@dataclass(frozen=True, eq=False)
class Seeds(Batch):
    """All seeds of an audit, with the data that they came from."""

    data: Dataset

    @classmethod
    def of(cls, model: Classifier, data: Dataset, plan: Plan, index: Tensor) -> Seeds:
        """Copy these rows of the test split to the model's device."""
        x, y = (part[index].to(model.device) for part in (data.test.x, data.test.y))
        return cls(model, data.schema, plan, index, x, y, data)

    @classmethod
    def chosen(
        cls,
        model: Classifier,
        data: Dataset,
        plan: Plan,
        device: str | None = None,
    ) -> Seeds:
        """Choose the seeds that a plan asks for.

        Parameters
        ----------
        device : str, optional
            Device for a copy of the model; by default the model stays where it is.

        Raises
        ------
        InvalidInput
            If the model cannot be moved or does not have the data's classes, or the test split has
            too few rows.
        """
        model = _on_device(model, device)
        check_classes(model, data)
        index = choose_seeds(data.test.x, plan.n_seeds, plan.random_state)
        return cls.of(model, data, plan, index)

    def tabulate(self, name: str, stage: str, outcome: Outcome) -> pd.DataFrame:
        """Return the instances of an outcome in original units; one line per seed."""
        named = self.data.test.rows
        rows = None if named is None else named[self.index.numpy()]
        y, people = self.y.cpu(), self.counterparts
        return tabulate(outcome, name, stage, self.index, y, self.schema, people, rows)

    @property
    def per_shard(self) -> int:
        """Number of seeds that are attacked together."""
        return seeds_per_shard(len(self.y), len(self.counterparts), self.model.device)

    def split(self, size: int | None = None) -> list[SeedRows]:
        """Split the seeds into pieces of ``size``, by default ``per_shard``.

        Each piece is a copy: pickling a slice would send the whole tensor to the worker.
        """
        whole = (tensor.cpu() for tensor in (self.index, self.x, self.y))
        pieces = zip(*(torch.split(each, size or self.per_shard) for each in whole), strict=True)
        return [SeedRows(*(tensor.clone() for tensor in piece)) for piece in pieces]


def _on_device(model: Classifier, device: str | None) -> Classifier:
    if device is None or parse_device(device) == model.device:
        return model
    if not hasattr(model, "to"):
        raise InvalidInput(f"this model cannot be moved from {model.device} to {device}")
    moved: Classifier = model.to(parse_device(device))
    return moved
