"""The control of an attack that changed nothing: is the model robust, or the attack broken?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from rafair.attacks.registry import variants_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from rafair.auditing.rows import Row
    from rafair.auditing.seeds import Seeds

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


def run_controls(
    seeds: Seeds,
    clean: Row,
    cost: Mapping[str, Any],
    on_progress: Callable[[str, int, int], None],
) -> dict[str, int]:
    """Run every attack that changed nothing once more, with all of the domain within reach.

    Returns
    -------
    dict of str to int
        Family → how many cells it changes then. Where that is none either, the attack shows
        nothing about the model.
    """
    if seeds.plan.radius == 0:
        return {}
    silent = [family for family, changed in changed_by_family(cost).items() if not changed]
    free = _unlimited(seeds)
    found = {}
    for done, family in enumerate(silent):
        on_progress(f"{family} control", done, len(silent))
        attacks = free.plan.families(free.data.schema)[family]
        found[family] = sum(
            int((free.judged(name, ends).verdict.cells != clean.verdict.cells).sum())
            for name, ends in ((name, _ends(free, attack)) for name, attack in attacks.items())
        )
    return found


def _unlimited(seeds: Seeds) -> Seeds:
    """Return the seeds in a Δ that ends at the domain, whatever ε a feature has of its own."""
    schema = seeds.data.schema
    features = tuple(replace(feature, epsilon=None, step=None) for feature in schema.features)
    data = replace(seeds.data, schema=replace(schema, features=features))
    return replace(seeds, data=data, plan=seeds.plan.control())


def _ends(seeds: Seeds, attack: Any) -> torch.Tensor:
    space = seeds.plan.space(seeds.data.schema)
    parts = [
        attack.run(seeds.model, seeds.x[shard], seeds.y[shard], seeds.counterparts, space).x_adv
        for shard in seeds.shards()
    ]
    return torch.cat(parts).unsqueeze(0)
