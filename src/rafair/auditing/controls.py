"""Controls of attacks that changed nothing: is the model robust, or does the attack not work?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rafair.attacks.registry import variants_of
from rafair.auditing.batches import Batch, SeedRows
from rafair.engine import Shard, Task, merged
from rafair.plans.attacks import families_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rafair.attacks import Attack
    from rafair.auditing.attacking import Attacked
    from rafair.auditing.batches import Seeds
    from rafair.engine import Runner
    from rafair.models import Classifier
    from rafair.plans import Plan
    from rafair.schema import Schema

__all__ = ["changed_by_family", "run_controls"]


def changed_by_family(cost: Mapping[str, Any]) -> dict[str, int]:
    """Return how many cells each family of attacks changed, summed over its variants.

    Parameters
    ----------
    cost : mapping
        ``cost`` of a run's manifest: variant → its cost and ``changed``.
    """
    found: dict[str, int] = {}
    for name, entry in cost.items():
        if "changed" in entry:
            family = variants_of(name)[0].family
            found[family] = found.get(family, 0) + entry["changed"]
    return found


@dataclass(frozen=True, eq=False)
class _Work:
    """One attack on some seeds."""

    attack: Attack
    rows: SeedRows


def run_controls(seeds: Seeds, attacked: Attacked, runner: Runner) -> dict[str, int]:
    """Run every attack that changed nothing once more, with the whole domain as Δ.

    Returns
    -------
    dict of str to int
        Family → how many cells it changes then. If it changes none again, the attack says nothing
        about the model.
    """
    if seeds.plan.radius == 0:
        return {}
    idle = [family for family, changed in changed_by_family(attacked.cost).items() if not changed]
    schema, plan = _unlimited(seeds.schema), seeds.plan.control()
    attacks = [
        (family, name, attack)
        for family, members in families_of(plan, schema).items()
        for name, attack in members.items()
        if family in idle
    ]
    tasks = [
        Task(f"control-{name}-{place:06d}", _Work(attack, rows), f"{family} control", len(rows.y))
        for place, rows in enumerate(seeds.split())
        for family, name, attack in attacks
    ]
    shards = runner.run(partial(_attack, seeds.model, schema, plan), tasks)
    changed = dict.fromkeys(idle, 0)
    for place, (family, _, _) in enumerate(attacks):
        cells = merged(shards[place :: len(attacks)])["cells"]
        changed[family] += int((cells != attacked.clean.verdict.cells).sum())
    return changed


def _unlimited(schema: Schema) -> Schema:
    """Return the schema without the features' own ε and steps, so that Δ ends at the domain."""
    features = tuple(replace(feature, epsilon=None, step=None) for feature in schema.features)
    return replace(schema, features=features)


def _attack(model: Classifier, schema: Schema, plan: Plan, work: _Work) -> Shard:
    batch = Batch.load(model, schema, plan, work.rows)
    result = work.attack.run(model, batch.x, batch.y, batch.counterparts, batch.space)
    return Shard({"cells": batch.judge(result.x_adv.unsqueeze(0)).verdict.cells})
