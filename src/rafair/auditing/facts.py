"""The facts about model and data that a run records."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from rafair.auditing.rows import column_names
from rafair.fairness.decisions import predict
from rafair.fairness.quality import accuracy_figures

if TYPE_CHECKING:
    from rafair.auditing.seeds import Seeds

__all__ = ["facts_about"]

LIBRARIES = ("rafair", "torch", "numpy", "pandas", "scipy")


def facts_about(seeds: Seeds) -> dict[str, Any]:
    """Return versions, plan, hashes of data and model, and the schema: a run's manifest."""
    data, model, counterparts = seeds.data, seeds.model, seeds.counterparts
    # The rows go to the model's device batch by batch.
    test_x, test_y = data.test.x, data.test.y.to(model.device)
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
            "sha256": model.digest(),
            "access": model.access,
            "kind": getattr(model, "kind", type(model).__name__),
            "reads": getattr(model, "reads", "unit"),
            "dtype": str(model.dtype).removeprefix("torch."),
            "predicted_classes": len(torch.unique(predict(model, test_x))),
            **accuracy_figures(model, test_x, test_y),
        },
        "counterparts": {"checked": len(counterparts), "of": counterparts.total},
        "schema": _described(seeds),
    }


def _described(seeds: Seeds) -> dict[str, Any]:
    schema, columns = seeds.schema, column_names(seeds.schema)
    return {
        "label": schema.label,
        "classes": list(schema.classes),
        "sensitive": list(schema.sensitive),
        "relations": list(schema.relations),
        "features": [
            {
                "name": f.name,
                "kind": f.kind,
                "unit": f.unit,
                "epsilon": f.epsilon,
                "switch": f.switch,
                **columns[f.name],
            }
            for f in schema.features
        ],
    }
