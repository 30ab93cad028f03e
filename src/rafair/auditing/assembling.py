"""Assembles the result of an audit from its attacks, controls and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from rafair.auditing.attacking import CLEAN
from rafair.auditing.metadata import manifest_of
from rafair.auditing.robust import contradicted, robust_rates
from rafair.fairness import TF, balanced_rates, constant_model
from rafair.guarding import guard_figures, guarded
from rafair.plans.attacks import families_of
from rafair.runs import AuditResult
from rafair.schema.summary import who_is_comparable

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.auditing.attacking import Attacked
    from rafair.auditing.batches import Seeds
    from rafair.auditing.proving import Proofs
    from rafair.runs.outcomes import Outcome

__all__ = ["audit_result"]


def audit_result(
    seeds: Seeds,
    attacked: Attacked,
    controls: dict[str, int],
    proofs: Proofs | None,
    unproved: str | None,
) -> AuditResult:
    """Put together the metrics, the instances and the manifest of a run.

    Parameters
    ----------
    controls : dict of str to int
        Family that changed no cell → how many cells it changes with the whole domain as Δ.
    proofs : Proofs, optional
        Certificates, where the audit proved anything.
    unproved : str, optional
        Why it did not.
    """
    no_effect = len(controls) == len(families_of(seeds.plan)) and not any(controls.values())
    metrics = {**_metrics(seeds, attacked), **_robust(seeds, attacked, proofs)}
    manifest = {
        **manifest_of(seeds),
        "cost": attacked.cost,
        "zero_gradients": attacked.zero_gradients,
        "controls": controls,
        "inconclusive": no_effect and not _is_decided(metrics["robust"]),
        "proofs": {"why_not": unproved} if proofs is None else {"why_not": None, **proofs.facts},
    }
    table = None if proofs is None else proofs.instances
    return AuditResult(metrics, _instances(seeds, attacked), manifest, table)


def _is_decided(robust: dict[str, Any]) -> bool:
    """Tell whether every person is proved or broken, claim by claim."""
    return all(rate["at_least"] == rate["at_most"] for rate in robust.values())


def _metrics(seeds: Seeds, attacked: Attacked) -> dict[str, Any]:
    """Return the rates of the seeds and of each row, over all of I(v)."""
    return {
        "dataset": seeds.data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "comparable": who_is_comparable(seeds.schema.features),
        "constant": constant_model(seeds.y),
        "clean": _with_balanced(attacked.clean.rates(), attacked.clean, seeds.y),
        "robust": {},
        "attacks": {name: row.rates(robust=True) for name, row in attacked.rows.items()},
        "repairs": {},
        "by_sensitive": {},
        **_guard(seeds),
    }


def _guard(seeds: Seeds) -> dict[str, Any]:
    """Return, for a guard, what it changes on the whole test split."""
    guard, rows = guarded(seeds.model), seeds.data.test
    if guard is None:
        return {}
    x, y = (part.to(seeds.model.device) for part in (rows.x, rows.y))
    return {"guard": guard_figures(guard, x, y)}


def _with_balanced(found: dict[str, Any], clean: Outcome, y: Tensor) -> dict[str, Any]:
    """Add the mean over the classes of the share of accurately fair people."""
    balanced = balanced_rates({"af_balanced": clean.verdict.cells == TF}, y)
    return {**found, **balanced, "ci": {**found["ci"], **balanced["ci"]}}  # type: ignore[dict-item]


def _robust(seeds: Seeds, attacked: Attacked, proofs: Proofs | None) -> dict[str, Any]:
    """Return what holds under every change, and everything along each sensitive attribute."""
    outcomes = [attacked.clean, *attacked.rows.values()]
    jointly = [outcome.counted for outcome in outcomes]
    alone = list(zip(*(outcome.alone for outcome in outcomes), strict=True))
    proved = [None] * len(alone) if proofs is None else list(proofs.alone)
    found: dict[str, Any] = {
        "robust": robust_rates(jointly, seeds.y, None if proofs is None else proofs.jointly),
        "by_sensitive": {
            attribute: {
                "clean": attacked.clean.rates(along=place),
                "robust": robust_rates(verdicts, seeds.y, known),
                "attacks": {
                    name: row.rates(robust=True, along=place) for name, row in attacked.rows.items()
                },
            }
            for place, (attribute, verdicts, known) in enumerate(
                zip(seeds.schema.sensitive, alone, proved, strict=True)
            )
        },
    }
    if proofs is not None:
        wrong = [contradicted(jointly, proofs.jointly), *map(contradicted, alone, proofs.alone)]
        conflicts = int(torch.stack(wrong).any(dim=0).sum())
        found["certificates"] = {"curve": proofs.curve, "conflicts": conflicts}
    return found


def _instances(seeds: Seeds, attacked: Attacked) -> pd.DataFrame:
    """Return the clean instances, then those of every row."""
    tables = [seeds.tabulate(CLEAN, "clean", attacked.clean)]
    tables += [seeds.tabulate(name, "attacked", row) for name, row in attacked.rows.items()]
    return pd.concat(tables, ignore_index=True)
