"""``rafair.audit``: the only conductor."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from rafair.auditing.plan import Plan, Select
from rafair.auditing.result import AuditResult
from rafair.auditing.rows import Row, column_names, join, judge_row, tabulate
from rafair.errors import InvalidInput
from rafair.fairness import choose_seeds
from rafair.fairness.quality import accuracy_figures
from rafair.models import Classifier, parse_device
from rafair.problem.validation import n_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rafair.attacks import Attack
    from rafair.datasets import Dataset
    from rafair.problem import AttackResult, BatchSize, Counterparts
    from rafair.problem.space import Setting

__all__ = ["Seeds", "audit", "by_attribute", "checked_model", "facts_about", "silent"]

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

    def shards(self) -> Iterator[slice]:
        """Cut the seeds into pieces of about ``SHARD_ROWS`` counterpart rows."""
        return self.counterparts.blocks(len(self.y), SHARD_ROWS)

    def judged(self, name: str, candidates: Tensor, only: str | None = None) -> Row:
        """Judge candidates over I(v), or along one sensitive attribute."""
        people = self.counterparts if only is None else self.plan.people(self.data.schema, only)
        return judge_row(name, candidates, self.model, self.y, people, self.plan.batch_size)

    def tabulated(self, row: Row, stage: str) -> pd.DataFrame:
        """Return the instances of a row in original units, explained."""
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
        )


def audit(
    model: Classifier,
    data: Dataset,
    attacks: str | Sequence[str] = "rafair",
    n_seeds: int | None = 200,
    random_state: int = 0,
    *,
    steps: int = 20,
    step_size: float = 0.01,
    epsilon: float | None = None,
    loss: str | None = None,
    setting: Setting | None = None,
    select: Select = "last",
    sensitive: Sequence[str] | None = None,
    counterparts: int | None = None,
    device: str | None = None,
    batch_size: BatchSize = "auto",
    on_progress: Callable[[str, int, int], None] = silent,
) -> AuditResult:
    """Measure how accurate and fair a model is, and stays when its inputs are perturbed.

    Parameters
    ----------
    model : Classifier
        From ``rafair.wrap`` or ``rafair.baseline``; it needs gradients.
    data : Dataset
        Seeds come from its test split.
    attacks : str or sequence of str
        Families (``"rafair"``: its three modes and the worst of them; ``"pgd"``, ``"adf"``, …) or
        single rows (``"rafair-ff"``).
    n_seeds : int, optional
        k-means seeds (``choose_seeds``); None takes the whole test split.
    random_state : int
        Of the seeds, of sampled counterparts and of attacks that draw.
    steps, step_size : int, float
        Iterations, and their length as a share of each feature's range. APGD and ACG find their
        step themselves, and FGSM takes one: there the two only give ε.
    epsilon : float, optional
        Radius of Δ as a share of each feature's range; by default ``steps * step_size``.
    loss : {"mse", "cross_entropy", "margin"}, optional
        For attacks that have one; by default each attack's own.
    setting : {"paper", "feasible"}, optional
        What may be perturbed; *paper* by default on the benchmarks, *feasible* on own data.
    select : {"last", "worst"}
        Judge the last iterate, or count a seed as broken if any iterate, itself included, is; rows
        of the second reading are named ``NAME@worst``.
    sensitive : sequence of str, optional
        Sensitive columns in place of the schema's.
    counterparts : int, optional
        Sample so many combinations of I(v) instead of enumerating all.
    device : str, optional
        Audit a copy of the model there; by default the model's own device.
    batch_size : int or "auto"
    on_progress : callable
        Called with what is done, and how many shards of how many.

    Returns
    -------
    AuditResult

    Raises
    ------
    InvalidInput
        If a name is unknown, a number is not possible, or model and data do not fit together.
    """
    plan = Plan(
        attacks=(attacks,) if isinstance(attacks, str) else tuple(attacks),
        n_seeds=n_seeds,
        random_state=random_state,
        steps=steps,
        step_size=step_size,
        epsilon=epsilon,
        loss=loss,
        setting=setting or ("paper" if data.is_benchmark else "feasible"),
        select=select,
        counterparts=counterparts,
        batch_size=batch_size,
    )
    families = plan.families()
    if sensitive is not None:
        data = data.with_sensitive(sensitive)
    model = checked_model(_on_device(model, device), data)
    index = choose_seeds(data.test.x, plan.n_seeds, plan.random_state)
    seeds = Seeds.of(model, data, plan, index)
    clean = seeds.judged("clean", seeds.x.unsqueeze(0))
    rows, cost = _attacked(seeds, families, on_progress)
    metrics = {
        "dataset": data.name,
        "n_seeds": len(index),
        "n_counterparts": len(seeds.counterparts),
        "clean": clean.verdict.rates(),
        "attacks": {row.name: row.verdict.rates(robust=True) for row in rows},
        "repairs": {},
        "by_sensitive": {
            name: {
                "clean": by_attribute(seeds, clean, name).rates(),
                "attacks": {
                    row.name: by_attribute(seeds, row, name).rates(robust=True) for row in rows
                },
            }
            for name in data.schema.sensitive
        },
    }
    tables = [seeds.tabulated(clean, "clean"), *(seeds.tabulated(row, "attacked") for row in rows)]
    instances = pd.concat(tables, ignore_index=True)
    return AuditResult(metrics, instances, {**facts_about(seeds), "cost": cost})


def _on_device(model: Classifier, device: str | None) -> Classifier:
    if not isinstance(model, Classifier):
        raise InvalidInput(
            f"audit takes a wrapped model, not a {type(model).__name__}; call rafair.wrap(model)"
        )
    if device is None or parse_device(device) == model.device:
        return model
    if not hasattr(model, "to"):
        raise InvalidInput(f"this model cannot be moved from {model.device} to {device}")
    moved: Classifier = model.to(parse_device(device))
    return moved


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


def _attacked(
    seeds: Seeds,
    families: Mapping[str, Mapping[str, Attack]],
    on_progress: Callable[[str, int, int], None],
) -> tuple[list[Row], dict[str, dict[str, int]]]:
    """Run every attack over every shard; each family with several variants also gets a row."""
    suffix = "" if seeds.plan.select == "last" else "@worst"
    shards = len(list(seeds.shards()))
    total = shards * sum(len(members) for members in families.values())
    rows: list[Row] = []
    cost: dict[str, dict[str, int]] = {}
    done = 0
    for family, members in families.items():
        judged = []
        for variant, attack in members.items():
            results = []
            for shard in seeds.shards():
                on_progress(variant, done, total)
                results.append(_run(seeds, attack, shard))
                done += 1
            on_progress(variant, done, total)
            candidates = torch.cat([_candidates(r, seeds.plan.select) for r in results], dim=1)
            judged.append(seeds.judged(variant + suffix, candidates))
            cost[variant] = {
                "gradients": sum(result.n_gradients for result in results),
                "forwards": sum(result.n_forwards for result in results),
            }
        rows += judged
        if len(judged) > 1:
            rows.append(join(family + suffix, judged))
    return rows, cost


def _run(seeds: Seeds, attack: Attack, shard: slice) -> AttackResult:
    space = seeds.plan.space(seeds.data.schema)
    return attack.run(seeds.model, seeds.x[shard], seeds.y[shard], seeds.counterparts, space)


def _candidates(result: AttackResult, select: Select) -> Tensor:
    if select == "worst" and result.trajectory is not None:
        return result.trajectory.points
    return result.x_adv.unsqueeze(0)


def by_attribute(seeds: Seeds, row: Row, name: str) -> Any:
    """Judge the same instances where only one sensitive attribute varies."""
    return seeds.judged(row.name, row.candidates, only=name).verdict


def facts_about(seeds: Seeds) -> dict[str, Any]:
    """Return versions, plan, hashes of data and model, and the schema: a run's manifest."""
    data, counterparts = seeds.data, seeds.counterparts
    columns = column_names(data.schema)
    return {
        "tool": "rafair",
        "versions": {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
        "plan": seeds.plan.as_dict(),
        "dataset": {
            "name": data.name,
            "sha256": data.digest(),
            "provenance": data.provenance,
            "n_train": len(data.train),
            "n_test": len(data.test),
        },
        "model": {
            "sha256": seeds.model.digest(),
            "access": seeds.model.access,
            "dtype": str(seeds.model.dtype).removeprefix("torch."),
            **accuracy_figures(
                seeds.model,
                data.test.x.to(seeds.model.device),
                data.test.y.to(seeds.model.device),
            ),
        },
        "counterparts": {"checked": len(counterparts), "of": counterparts.total},
        "schema": {
            "label": data.schema.label,
            "classes": list(data.schema.classes),
            "sensitive": list(data.schema.sensitive),
            "features": [
                {"name": f.name, "kind": f.kind, "unit": f.unit, **columns[f.name]}
                for f in data.schema.features
            ],
        },
    }
