"""The attacks of an audit, shard by shard, and what all shards together say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rafair.attacks.ensemble import EnsembleResult
from rafair.auditing.rows import Found
from rafair.auditing.seeds import Block, Part
from rafair.auditing.shards import Shard, Task, merged
from rafair.models import require_gradient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.attacks import Attack
    from rafair.auditing.plan import Plan, Select
    from rafair.auditing.seeds import Seeds
    from rafair.auditing.shards import Runner
    from rafair.models import Classifier
    from rafair.problem import AttackResult
    from rafair.schema import Schema

__all__ = ["CLEAN", "Attacked", "attack_seeds", "check_access", "ends_of"]

CLEAN = "clean"
NO_GRADIENT = "no_gradient"
BROKEN_BY = "broken_by"


@dataclass(frozen=True, eq=False)
class Attacked:
    """What became of the seeds under every attack.

    Attributes
    ----------
    clean : Found
    rows : dict of str to Found
        By name: every variant, and behind the variants of a family the worst of them.
    cost : dict
        By variant: rows differentiated and predicted, and of how many seeds the cell changed.
    zero_gradients : float or None
        Share of seeds at which no movable feature has a gradient; None for a model without any.
    """

    clean: Found
    rows: dict[str, Found]
    cost: dict[str, dict[str, Any]]
    zero_gradients: float | None


@dataclass(frozen=True, eq=False)
class _Work:
    """One attack, or none, on a part of the seeds."""

    attack: Attack | None
    part: Part


def check_access(model: Classifier, families: Mapping[str, Mapping[str, Attack]]) -> None:
    """Refuse attacks that follow gradients where the model has none.

    Raises
    ------
    InvalidInput
    """
    for members in families.values():
        for attack in members.values():
            if attack.gradients:
                require_gradient(model, type(attack).__name__)


def attack_seeds(
    seeds: Seeds, families: Mapping[str, Mapping[str, Attack]], runner: Runner
) -> Attacked:
    """Run every attack over every shard; each family with several variants also gets a row.

    Raises
    ------
    InvalidInput
        If a model cannot be judged, or a shard cannot be kept.
    """
    attacks = {name: attack for members in families.values() for name, attack in members.items()}
    shards = _run(seeds, {**attacks, CLEAN: None}, runner)
    attributes = len(seeds.schema.sensitive)
    tensors = {name: merged(several) for name, several in shards.items()}
    found = {name: Found.from_tensors(part, attributes) for name, part in tensors.items()}
    clean = found[CLEAN]
    cost = {
        name: {
            "gradients": sum(shard.facts["gradients"] for shard in shards[name]),
            "forwards": sum(shard.facts["forwards"] for shard in shards[name]),
            "changed": int((found[name].verdict.cells != clean.verdict.cells).sum()),
            **_members(seeds.index, tensors[name].get(BROKEN_BY), shards[name]),
        }
        for name in attacks
    }
    suffix = "" if seeds.plan.select == "last" else "@worst"
    rows: dict[str, Found] = {}
    for family, members in families.items():
        rows |= {name + suffix: found[name] for name in members}
        if len(members) > 1:
            rows[family + suffix] = Found.worst([found[name] for name in members])
    still = tensors[CLEAN].get(NO_GRADIENT)
    share = None if still is None else float(still.double().mean())
    return Attacked(clean, rows, cost, share)


def _run(
    seeds: Seeds, attacks: Mapping[str, Attack | None], runner: Runner
) -> dict[str, list[Shard]]:
    """Return the shards of each attack, in the order of the seeds.

    They are worked on block by block, each by every attack, so that they come at a steady rate.
    """
    tasks = [
        Task(f"{name}-{place:06d}", _Work(attack, part), name, len(part.y) if attack else 0)
        for place, part in enumerate(seeds.parts(seeds.per_shard))
        for name, attack in attacks.items()
    ]
    done = runner.run(partial(_shard, seeds.model, seeds.schema, seeds.plan), tasks)
    n = len(attacks)
    return {name: done[place::n] for place, name in enumerate(attacks)}


def _shard(model: Classifier, schema: Schema, plan: Plan, work: _Work) -> bytes:
    """Attack some seeds, judge and explain what comes out, over I(v) and along each attribute."""
    block = Block.at(model, schema, plan, work.part)
    candidates = block.x.unsqueeze(0)
    facts: dict[str, Any] = {}
    more: dict[str, Tensor] = {}
    if work.attack is None:
        still = block.without_gradient()
        more = {} if still is None else {NO_GRADIENT: still}
    else:
        result = ends_of(block, work.attack)
        candidates = _candidates(result, plan.select)
        facts, more = _counted(result)
    found = block.found(block.judged("", candidates))
    alone = tuple(block.judged("", candidates, only=name).verdict for name in schema.sensitive)
    return Shard({**replace(found, alone=alone).tensors(), **more}, facts).encode()


def ends_of(block: Block, attack: Attack) -> AttackResult:
    """Attack a block."""
    return attack.run(block.model, block.x, block.y, block.counterparts, block.space)


def _candidates(result: AttackResult, select: Select) -> Tensor:
    if select == "worst" and result.trajectory is not None:
        return result.trajectory.points
    return result.x_adv.unsqueeze(0)


def _counted(result: AttackResult) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what an attack cost; of an ensemble also its members, and who broke which seed."""
    facts: dict[str, Any] = {"gradients": result.n_gradients, "forwards": result.n_forwards}
    if not isinstance(result, EnsembleResult):
        return facts, {}
    members = [asdict(member) for member in result.members]
    return {**facts, "members": members}, {BROKEN_BY: result.broken_by}


def _members(index: Tensor, broken_by: Tensor | None, shards: Sequence[Shard]) -> dict[str, Any]:
    """Say of an ensemble which member broke which seed, and at what cost."""
    if broken_by is None:
        return {}
    members = []
    for place, several in enumerate(
        zip(*(shard.facts["members"] for shard in shards), strict=True)
    ):
        members.append(
            {
                "name": several[0]["name"],
                "tried": sum(member["tried"] for member in several),
                "broken": index[broken_by == place].tolist(),
                "gradients": sum(member["n_gradients"] for member in several),
                "forwards": sum(member["n_forwards"] for member in several),
                "skipped": several[0]["skipped"],
            }
        )
    return {"members": members}
