"""The instances an audit starts from, and the facts about model and data that a run records."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.auditing.plan import Plan
from rafair.auditing.rows import Row, column_names, judge_row, tabulate
from rafair.errors import InvalidInput
from rafair.fairness import choose_seeds
from rafair.fairness.decisions import predict
from rafair.fairness.quality import accuracy_figures
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import CrossEntropy
from rafair.problem.validation import n_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["Seeds", "checked_model", "facts_about", "silent", "zero_gradients"]

# Counterpart rows per shard: large enough for full batches, small enough to show progress.
SHARD_ROWS = 32_768
LIBRARIES = ("rafair", "torch", "numpy", "pandas", "scipy")


def silent(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, eq=False)
class Seeds:
    """The instances an audit starts from, and what is needed to judge what becomes of them."""

    model: Classifier
    data: Dataset
    plan: Plan
    index: Tensor
    x: Tensor
    y: Tensor
    counterparts: Counterparts

    @classmethod
    def of(cls, model: Classifier, data: Dataset, plan: Plan, index: Tensor) -> Seeds:
        """Take these rows of the test split to the model's device."""
        x, y = (part[index].to(model.device) for part in (data.test.x, data.test.y))
        return cls(model, data, plan, index, x, y, plan.people(data.schema))

    @classmethod
    def chosen(cls, model: Classifier, data: Dataset, plan: Plan) -> Seeds:
        """Choose the seeds that a plan asks for."""
        index = choose_seeds(data.test.x, plan.n_seeds, plan.random_state)
        return cls.of(model, data, plan, index)

    def shards(self) -> Iterator[slice]:
        """Cut the seeds into pieces of about ``SHARD_ROWS`` counterpart rows."""
        return self.counterparts.blocks(len(self.y), SHARD_ROWS)

    def judged(self, name: str, candidates: Tensor, only: str | None = None) -> Row:
        """Judge candidates over I(v), or along one sensitive attribute."""
        people = self.counterparts if only is None else self.plan.people(self.data.schema, only)
        return judge_row(name, candidates, self.model, self.y, people, self.plan.batch_size)

    def feasible(self, x: Tensor, origin: Tensor) -> Tensor:
        """Tell which rows are possible people inside Δ around their origin, shape (n,), bool."""
        schema = self.data.schema
        return self.plan.space(schema).contains(x, origin) & schema.possible(x)

    def tabulated(self, row: Row, stage: str, origin: Tensor | None = None) -> pd.DataFrame:
        """Return the instances of a row in original units, explained.

        Parameters
        ----------
        origin : Tensor, shape (n, d), optional
            What Δ lies around; by default the seeds.
        """
        return tabulate(
            row,
            stage,
            self.index,
            self.y,
            self.model,
            self.data.schema,
            self.counterparts,
            self.plan.measure,
            self.plan.batch_size,
            self.feasible(row.x, self.x if origin is None else origin),
        )


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


def zero_gradients(seeds: Seeds) -> float | None:
    """Return the share of seeds at which no movable feature has a gradient: exactly zero.

    None for a model without gradients.
    """
    if seeds.model.access != "gradient":
        return None
    space = seeds.plan.space(seeds.data.schema)
    slope = gradient_directions(seeds.model, seeds.x, seeds.y, CrossEntropy())
    return float((slope[:, space.movable(seeds.x)] == 0).all(dim=1).double().mean())


def facts_about(seeds: Seeds) -> dict[str, Any]:
    """Return versions, plan, hashes of data and model, and the schema: a run's manifest."""
    data, counterparts = seeds.data, seeds.counterparts
    columns = column_names(data.schema)
    test_x, test_y = (part.to(seeds.model.device) for part in (data.test.x, data.test.y))
    return {
        "tool": "rafair",
        "versions": {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
        "plan": seeds.plan.as_dict(),
        "dataset": {
            "name": data.name,
            "sha256": data.digest(),
            "provenance": data.provenance,
            "notes": list(data.notes),
            "n_train": len(data.train),
            "n_test": len(data.test),
        },
        "model": {
            "sha256": seeds.model.digest(),
            "access": seeds.model.access,
            "kind": getattr(seeds.model, "kind", type(seeds.model).__name__),
            "reads": getattr(seeds.model, "reads", "unit"),
            "dtype": str(seeds.model.dtype).removeprefix("torch."),
            "predicted_classes": len(torch.unique(predict(seeds.model, test_x))),
            **accuracy_figures(seeds.model, test_x, test_y),
        },
        "counterparts": {"checked": len(counterparts), "of": counterparts.total},
        "schema": {
            "label": data.schema.label,
            "classes": list(data.schema.classes),
            "sensitive": list(data.schema.sensitive),
            "relations": list(data.schema.relations),
            "features": [
                {
                    "name": f.name,
                    "kind": f.kind,
                    "unit": f.unit,
                    "epsilon": f.epsilon,
                    "switch": f.switch,
                    **columns[f.name],
                }
                for f in data.schema.features
            ],
        },
    }
