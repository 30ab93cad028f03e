"""Assembles the result of an audit from its attacks, controls and certificates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from rafair.auditing.attacking import CLEAN
from rafair.auditing.metadata import manifest_of
from rafair.fairness import TF
from rafair.runs import AuditResult

if TYPE_CHECKING:
    from rafair.auditing.attacking import Attacked
    from rafair.auditing.batches import Seeds
    from rafair.auditing.certifying import Curves

__all__ = ["audit_result"]


def audit_result(
    seeds: Seeds, attacked: Attacked, controls: dict[str, int], curves: Curves | None
) -> AuditResult:
    """Put together the metrics, the instances and the manifest of a run.

    Parameters
    ----------
    controls : dict of str to int
        Family that changed no cell → how many cells it changes with the whole domain as Δ.
    curves : Curves, optional
        Certificates, where the plan asked for them.
    """
    manifest = {
        **manifest_of(seeds),
        "cost": attacked.cost,
        "zero_gradients": attacked.zero_gradients,
        "controls": controls,
        "inconclusive": len(controls) == len(seeds.plan.families()) and not any(controls.values()),
    }
    run = AuditResult(_metrics(seeds, attacked), _instances(seeds, attacked), manifest)
    if curves is None:
        return run
    proofs = {"curve": curves.metrics, "conflicts": _conflicts(curves, attacked)}
    return replace(
        run,
        metrics={**run.metrics, "certificates": proofs},
        manifest={**run.manifest, "max_nodes": seeds.plan.max_nodes},
        certificates=curves.instances,
    )


def _metrics(seeds: Seeds, attacked: Attacked) -> dict[str, Any]:
    """Return the rates, over all of I(v) and along each sensitive attribute."""
    clean, rows = attacked.clean, attacked.rows
    return {
        "dataset": seeds.data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "clean": clean.verdict.rates(),
        "attacks": {name: row.counted.rates(robust=True) for name, row in rows.items()},
        "repairs": {},
        "by_sensitive": {
            attribute: {
                "clean": clean.alone[place].rates(),
                "attacks": {
                    name: row.alone[place].rates(robust=True) for name, row in rows.items()
                },
            }
            for place, attribute in enumerate(seeds.schema.sensitive)
        },
    }


def _instances(seeds: Seeds, attacked: Attacked) -> pd.DataFrame:
    """Return the clean instances, then those of every row."""
    tables = [seeds.tabulate(CLEAN, "clean", attacked.clean)]
    tables += [seeds.tabulate(name, "attacked", row) for name, row in attacked.rows.items()]
    return pd.concat(tables, ignore_index=True)


def _conflicts(curves: Curves, attacked: Attacked) -> int:
    """Count the seeds that are proved although an attack broke them: wrong certificates."""
    proved = curves.certificates["accurate_fair"][-1].status == 1
    cells = torch.stack([row.verdict.cells for row in attacked.rows.values()])
    return int((proved & (cells != TF).any(dim=0)).sum())
