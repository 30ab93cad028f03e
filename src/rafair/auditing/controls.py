"""The control of an attack that changed nothing: is the model robust, or the attack broken?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rafair.attacks.registry import variants_of
from rafair.auditing.attacking import ends_of
from rafair.auditing.seeds import Block, Part
from rafair.auditing.shards import Shard, Task, merged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rafair.attacks import Attack
    from rafair.auditing.attacking import Attacked
    from rafair.auditing.plan import Plan
    from rafair.auditing.seeds import Seeds
    from rafair.auditing.shards import Runner
    from rafair.models import Classifier
    from rafair.schema import Schema

__all__ = ["changed_by_family", "run_controls"]


def changed_by_family(cost: Mapping[str, Any]) -> dict[str, int]:
    """Return how many cells each family of attacks changed, all of its variants together.

    Parameters
    ----------
    cost : mapping
        Of a run's manifest: variant → its cost and ``changed``.
    """
    found: dict[str, int] = {}
    for name, entry in cost.items():
        if "changed" in entry:
            family = variants_of(name)[0].family
            found[family] = found.get(family, 0) + entry["changed"]
    return found


@dataclass(frozen=True, eq=False)
class _Work:
    """One attack on a part of the seeds."""

    attack: Attack
    part: Part


def run_controls(seeds: Seeds, attacked: Attacked, runner: Runner) -> dict[str, int]:
    """Run every attack that changed nothing once more, with all of the domain within reach.

    Returns
    -------
    dict of str to int
        Family → how many cells it changes then. Where that is none either, the attack shows
        nothing about the model.
    """
    if seeds.plan.radius == 0:
        return {}
    silent = [family for family, changed in changed_by_family(attacked.cost).items() if not changed]
    schema, plan = _unlimited(seeds.schema), seeds.plan.control()
    attacks = [
        (family, name, attack)
        for family, members in plan.families(schema).items()
        for name, attack in members.items()
        if family in silent
    ]
    tasks = [
        Task(f"control-{name}-{at:06d}", _Work(attack, part), f"{family} control", len(part.y))
        for at, part in enumerate(seeds.parts(seeds.per_shard))
        for family, name, attack in attacks
    ]
    shards = runner.run(partial(_shard, seeds.model, schema, plan), tasks)
    found = dict.fromkeys(silent, 0)
    for place, (family, _, _) in enumerate(attacks):
        cells = merged(shards[place :: len(attacks)])["cells"]
        found[family] += int((cells != attacked.clean.verdict.cells).sum())
    return found


def _unlimited(schema: Schema) -> Schema:
    """Return the schema of a Δ that ends at the domain, whatever ε a feature has of its own."""
    features = tuple(replace(feature, epsilon=None, step=None) for feature in schema.features)
    return replace(schema, features=features)


def _shard(model: Classifier, schema: Schema, plan: Plan, work: _Work) -> bytes:
    block = Block.at(model, schema, plan, work.part)
    end = ends_of(block, work.attack).x_adv
    return Shard({"cells": block.judged("", end.unsqueeze(0)).verdict.cells}).encode()
