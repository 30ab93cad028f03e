"""What a run says about itself: its manifest, and its identity, by which it is recognised."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import torch

from rafair.fairness import STRICT, Lipschitz
from rafair.fairness.decisions import counterpart_scores, predict
from rafair.fairness.quality import accuracy_figures
from rafair.problem.dense import path
from rafair.runs.instances import column_names
from rafair.schema.summary import who_is_comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.auditing.batches import Seeds
    from rafair.problem import Counterparts
    from rafair.schema import Schema

__all__ = ["described", "digest_of_columns", "identity_of", "manifest_of", "versions"]

# People of whom all counterparts are scored to see whether a model reads a sensitive feature, and
# the difference of scores up to which it does not: rounding.
ASKED, ROUNDING = 50, 1e-6
LIBRARIES = ("rafair", "torch", "numba", "numpy", "pandas", "scipy")


def manifest_of(seeds: Seeds) -> dict[str, Any]:
    """Return a run's manifest: versions, plan, hashes of data and model, and the schema."""
    data, model, counterparts = seeds.data, seeds.model, seeds.counterparts
    # The rows stay in main memory: they are copied to the model's device batch by batch.
    test_x, test_y = data.test.x, data.test.y.to(model.device)
    return {
        "tool": "rafair",
        "versions": versions(),
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
            "sha256": model.digest(),
            "access": model.access,
            "differentiated_by": path(model) if model.access == "gradient" else None,
            "kind": getattr(model, "kind", type(model).__name__),
            "reads": getattr(model, "reads", "unit"),
            "dtype": str(model.dtype).removeprefix("torch."),
            "predicted_classes": len(torch.unique(predict(model, test_x))),
            "unread": _unread(seeds),
            **accuracy_figures(model, test_x, test_y),
        },
        "counterparts": {
            "checked": len(counterparts),
            "of": counterparts.total,
            "comparable": who_is_comparable(seeds.schema.features),
            "each": _sizes(seeds),
        },
        "schema": described(seeds.schema),
    }


def _unread(seeds: Seeds) -> list[str] | None:
    """Return the sensitive attributes that change no score; None if the model gives none."""
    if seeds.model.access == "labels":
        return None
    everyone = {name: seeds.people(name) for name in seeds.schema.sensitive}
    return [
        name for name, people in everyone.items() if len(people) > 1 and _is_unread(seeds, people)
    ]


def _is_unread(seeds: Seeds, people: Counterparts) -> bool:
    scores = counterpart_scores(seeds.model, seeds.x[:ASKED], people, seeds.plan.batch_size)
    spread = scores.amax(dim=1) - scores.amin(dim=1)
    return bool((spread <= ROUNDING * scores.abs().amax(dim=1).clamp(min=1)).all())


def _sizes(seeds: Seeds) -> list[int]:
    """Return the smallest and the largest number of combinations that a seed is compared with."""
    people = seeds.counterparts
    if not people.varies:
        return [len(people), len(people)]
    blocks = people.blocks(len(seeds.x))
    counts = torch.cat([people.valid(seeds.x[block]).sum(dim=1) for block in blocks])
    return [int(counts.min()), int(counts.max())]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}}


def described(schema: Schema) -> dict[str, Any]:
    """Return a schema as JSON values."""
    columns = column_names(schema)
    return {
        "label": schema.label,
        "classes": list(schema.classes),
        **({} if schema.favourable is None else {"favourable": schema.favourable}),
        "sensitive": list(schema.sensitive),
        "relations": list(schema.relations),
        "features": [
            {
                "name": f.name,
                "kind": f.kind,
                "unit": f.unit,
                "epsilon": f.epsilon,
                "switch": f.switch,
                "within": f.within if f.sensitive else None,
                **columns[f.name],
            }
            for f in schema.features
        ],
    }


def identity_of(
    kind: Literal["audit", "certificates"],
    seeds: Seeds,
    radii: Sequence[float],
    claims: Sequence[str] | None = None,
    cells: Sequence[str] = (),
    condition: Lipschitz = STRICT,
) -> dict[str, Any]:
    """Return everything that the result of a run depends on, as JSON values.

    Parameters
    ----------
    radii : sequence of float
        Every ε that is certified; empty if nothing is.
    claims : sequence of str, optional
        The claims that are certified; by default all.
    cells : sequence of str
        The cells that are certified.
    condition : Lipschitz
        K, D and d of the certificates.
    """
    plan = seeds.plan.identity()
    certified = {"epsilons": radii, "max_nodes": seeds.plan.max_nodes} if radii else None
    if certified is not None and claims is not None:
        certified["claims"] = claims
    if certified is not None and cells:
        certified["cells"] = cells
    if certified is not None and condition.K > 0:  # with K = 0, D and d make no difference
        certified |= condition.as_dict()
    if kind == "certificates":
        del plan["attacks"]
    parts = {
        "kind": kind,
        "rafair": version("rafair"),
        "torch": version("torch"),
        "data": seeds.data.digest(),
        "sensitive": list(seeds.schema.sensitive),
        "columns": digest_of_columns(seeds.schema),
        "model": seeds.model.digest(),
        "plan": plan,
        "certified": certified,
        "seeds": hashlib.sha256(seeds.index.cpu().numpy().tobytes()).hexdigest(),
        "device": seeds.model.device.type,
        "shards": seeds.per_shard,
    }
    found: dict[str, Any] = json.loads(json.dumps(parts))
    return found


def digest_of_columns(schema: Schema) -> str:
    """Return a SHA-256 of what the columns mean."""
    text = repr((schema.features, schema.label, schema.classes, schema.relations))
    return hashlib.sha256(text.encode()).hexdigest()
