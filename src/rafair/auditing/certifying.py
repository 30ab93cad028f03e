"""Certificates for the seeds of an audit: R-AF, R-ACC and R-IF, each between two bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch

from rafair.auditing.conductor import Seeds, checked_model, facts_about, silent
from rafair.auditing.plan import check_whole
from rafair.certificates import Certificate, Property, certify
from rafair.fairness import choose_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.auditing.plan import Plan
    from rafair.datasets import Dataset
    from rafair.models import Classifier

__all__ = ["CertifiedResult", "certify_seeds"]

# Instances that are certified together; their open boxes must fit memory.
SHARD = 256
WORDS = {1: "proved", -1: "broken", 0: "undecided"}


@dataclass(frozen=True, eq=False)
class CertifiedResult:
    """What was proved.

    Attributes
    ----------
    metrics : dict
        ``dataset``, ``n_seeds``, ``n_counterparts``, ``epsilon``, and under ``claims`` for each of
        ``accurate_fair`` (R-AF), ``accurate`` (R-ACC) and ``fair`` (R-IF) the shares ``proved``,
        ``broken`` and ``undecided`` with 95 % intervals; the truth lies between ``proved`` and
        1 − ``broken``.
    instances : DataFrame
        One row per seed and claim: status, boxes bounded, and the witness with its counterpart in
        unit space, empty where there is none.
    manifest : dict
        Versions, the plan, hashes of data and model.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]


def certify_seeds(
    model: Classifier,
    data: Dataset,
    plan: Plan,
    max_nodes: int,
    claims: Sequence[Property] = get_args(Property),
    *,
    on_progress: Callable[[str, int, int], None] = silent,
) -> CertifiedResult:
    """Certify the seeds of a plan, claim by claim.

    Parameters
    ----------
    plan : Plan
        Its seeds, ε, setting and counterparts; attacks play no part.
    max_nodes : int
        Boxes to bound per instance and claim.
    claims : sequence of {"accurate_fair", "accurate", "fair"}
    on_progress : callable
        Called with the claim, and how many instances of how many are done.

    Raises
    ------
    InvalidInput
        If the model is no ReLU network, or model and data do not fit together.
    """
    check_whole("max_nodes", max_nodes, 1)
    model = checked_model(model, data)
    seeds = Seeds.of(model, data, plan, choose_seeds(data.test.x, plan.n_seeds, plan.random_state))
    rates: dict[str, Any] = {}
    tables = []
    total, done = len(claims) * len(seeds.y), 0
    for claim in claims:
        parts = []
        for rows in torch.split(torch.arange(len(seeds.y)), SHARD):
            on_progress(claim, done, total)
            parts.append(_certified(seeds, rows, max_nodes, claim))
            done += len(rows)
        joined = Certificate.join(parts)
        rates[claim] = joined.rates()
        tables.append(_table(seeds, claim, joined))
        on_progress(claim, done, total)
    metrics = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "epsilon": plan.radius,
        "claims": rates,
    }
    manifest = {**facts_about(seeds), "max_nodes": max_nodes}
    return CertifiedResult(metrics, pd.concat(tables, ignore_index=True), manifest)


def _certified(seeds: Seeds, rows: torch.Tensor, max_nodes: int, claim: Property) -> Certificate:
    space = seeds.plan.space(seeds.data.schema)
    x, y = seeds.x[rows], seeds.y[rows]
    return certify(seeds.model, x, y, seeds.counterparts, space, max_nodes, prove=claim)


def _table(seeds: Seeds, claim: str, found: Certificate) -> pd.DataFrame:
    broken = (found.status == -1).tolist()

    def points(people: torch.Tensor) -> list[Any]:
        rows = people.to("cpu", torch.float64).numpy()
        return [row if here else None for row, here in zip(rows, broken, strict=True)]

    return pd.DataFrame(
        {
            "seed": seeds.index.cpu().numpy(),
            "claim": claim,
            "status": [WORDS[status] for status in found.status.tolist()],
            "nodes": found.nodes.cpu().numpy(),
            "witness": points(found.witness),
            "witness_counterpart": points(found.witness_counterpart),
        }
    )
