"""Runs every attack of an audit on every batch of seeds, and joins the outcomes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from rafair.attacks.ensemble import EnsembleResult
from rafair.auditing.batches import Batch, SeedRows
from rafair.certificates import prover_of
from rafair.engine import Shard, Task, merged
from rafair.models import require_gradient
from rafair.plans.attacks import families_of
from rafair.problem.dense import undisturbed
from rafair.runs.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.attacks import Attack
    from rafair.auditing.batches import Seeds
    from rafair.engine import Runner
    from rafair.models import Classifier
    from rafair.plans import Plan
    from rafair.plans.plan import Select
    from rafair.problem import AttackResult
    from rafair.schema import Schema

__all__ = ["CLEAN", "Attacked", "Families", "attack_seeds", "attacks_on"]

# Family → variant → attack.
Families: TypeAlias = "Mapping[str, Mapping[str, Attack]]"

CLEAN = "clean"
NO_GRADIENT = "no_gradient"
BROKEN_BY = "broken_by"


@dataclass(frozen=True, eq=False)
class Attacked:
    """What became of the seeds under every attack.

    Attributes
    ----------
    clean : Outcome
    rows : dict of str to Outcome
        By name: every variant; after the variants of a family, the worst of them per seed.
    cost : dict
        By variant: rows differentiated, rows predicted, and the number of seeds whose cell changed.
    zero_gradients : float or None
        Share of seeds at which no movable feature has a gradient; None for a model without any.
    """

    clean: Outcome
    rows: dict[str, Outcome]
    cost: dict[str, dict[str, Any]]
    zero_gradients: float | None


@dataclass(frozen=True, eq=False)
class _Work:
    """One attack, or none, on some seeds."""

    attack: Attack | None
    rows: SeedRows


def attacks_on(seeds: Seeds) -> Families:
    """Return the attacks that a plan names, family by family; check that it can be carried out.

    Raises
    ------
    InvalidInput
        If an attack follows gradients, or the plan asks for proofs, and the model has none.
    """
    families = families_of(seeds.plan, seeds.schema)
    for members in families.values():
        for attack in members.values():
            if attack.gradients:
                require_gradient(seeds.model, type(attack).__name__)
    if seeds.plan.certify:
        prover_of(seeds.model)
    return families


def attack_seeds(seeds: Seeds, families: Families, runner: Runner) -> Attacked:
    """Run every attack over every batch; each family with several variants also gets a row.

    Raises
    ------
    InvalidInput
        If a model cannot be judged, or a shard cannot be kept.
    """
    attacks = {name: attack for members in families.values() for name, attack in members.items()}
    shards = _shards(seeds, {**attacks, CLEAN: None}, runner)
    tensors = {name: merged(several) for name, several in shards.items()}
    attributes = len(seeds.schema.sensitive)
    outcomes = {name: Outcome.from_tensors(part, attributes) for name, part in tensors.items()}
    clean = outcomes[CLEAN]
    cost = {
        name: {
            "gradients": sum(shard.counts["gradients"] for shard in shards[name]),
            "forwards": sum(shard.counts["forwards"] for shard in shards[name]),
            "changed": outcomes[name].changed_from(clean),
            **_members(seeds.index, tensors[name].get(BROKEN_BY), shards[name]),
        }
        for name in attacks
    }
    still = tensors[CLEAN].get(NO_GRADIENT)
    share = None if still is None else float(still.double().mean())
    return Attacked(clean, _rows(families, outcomes, seeds.plan.select), cost, share)


def _shards(
    seeds: Seeds, attacks: Mapping[str, Attack | None], runner: Runner
) -> dict[str, list[Shard]]:
    """Return the shards of each attack, in the order of the seeds.

    The tasks run batch by batch, every attack on each, so that shards arrive at a steady rate.
    """
    tasks = [
        Task(f"{name}-{place:06d}", _Work(attack, rows), name, len(rows.y) if attack else 0)
        for place, rows in enumerate(seeds.split())
        for name, attack in attacks.items()
    ]
    done = runner.run(partial(_attack, seeds.model, seeds.schema, seeds.plan), tasks)
    n = len(attacks)
    return {name: done[place::n] for place, name in enumerate(attacks)}


def _attack(model: Classifier, schema: Schema, plan: Plan, work: _Work) -> Shard:
    """Attack some seeds, then judge and explain the instances over I(v) and by attribute."""
    with undisturbed(model):
        return _shard(model, schema, plan, work)


def _shard(model: Classifier, schema: Schema, plan: Plan, work: _Work) -> Shard:
    batch = Batch.load(model, schema, plan, work.rows)
    if work.attack is None:
        still = batch.without_gradient()
        tensors = {} if still is None else {NO_GRADIENT: still}
        return Shard({**batch.outcome_by_attribute(batch.x.unsqueeze(0)).tensors(), **tensors})
    result = work.attack.run(model, batch.x, batch.y, batch.counterparts, batch.space)
    outcome = _outcome(batch, result)
    counts: dict[str, Any] = {"gradients": result.n_gradients, "forwards": result.n_forwards}
    if not isinstance(result, EnsembleResult):
        return Shard(outcome.tensors(), counts)
    counts["members"] = [asdict(member) for member in result.members]
    return Shard({**outcome.tensors(), BROKEN_BY: result.broken_by}, counts)


def _outcome(batch: Batch, result: AttackResult) -> Outcome:
    """Judge the instances that the plan's ``select`` names."""
    select, last = batch.plan.select, result.x_adv.unsqueeze(0)
    if select == "worst" and result.trajectory is not None:
        return batch.outcome_by_attribute(result.trajectory.points)
    if select == "pooled":
        return batch.with_pool(batch.outcome(last), result.pool)
    return batch.outcome_by_attribute(last)


def _rows(
    families: Families, outcomes: Mapping[str, Outcome], select: Select
) -> dict[str, Outcome]:
    """Name the rows of the result tables: the variants of each family, then the worst of them."""
    suffix = "" if select == "last" else f"@{select}"
    rows: dict[str, Outcome] = {}
    for family, members in families.items():
        rows |= {name + suffix: outcomes[name] for name in members}
        if len(members) > 1:
            rows[family + suffix] = Outcome.worst([outcomes[name] for name in members])
    return rows


def _members(index: Tensor, broken_by: Tensor | None, shards: Sequence[Shard]) -> dict[str, Any]:
    """Return, for an ensemble, which member broke which seeds, and at what cost."""
    if broken_by is None:
        return {}
    several = zip(*(shard.counts["members"] for shard in shards), strict=True)
    return {
        "members": [
            {
                "name": entries[0]["name"],
                "tried": sum(entry["tried"] for entry in entries),
                "broken": index[broken_by == place].tolist(),
                "gradients": sum(entry["n_gradients"] for entry in entries),
                "forwards": sum(entry["n_forwards"] for entry in entries),
                "skipped": entries[0]["skipped"],
            }
            for place, entries in enumerate(several)
        ]
    }
