"""Certificates for the seeds of an audit: R-AF, R-ACC and R-IF, each between two bounds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch

from rafair.auditing.plan import check_whole
from rafair.auditing.seeds import Seeds, checked_model, facts_about, silent
from rafair.certificates import MAX_NODES, Certificate, Property, certify_curve
from rafair.certificates.branching import BROKEN, PROVED
from rafair.errors import InvalidInput
from rafair.problem.network import relu_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.auditing.plan import Plan
    from rafair.datasets import Dataset
    from rafair.models import Classifier

__all__ = ["CLAIMS", "CertifiedResult", "Curves", "certify_seeds", "curves_of"]

# Instances that are certified together; their open boxes must fit memory.
SHARD = 256
WORDS = {1: "proved", -1: "broken", 0: "undecided"}
CLAIMS: tuple[Property, ...] = get_args(Property)
# Each can use the verdicts on those before it.
ORDER: tuple[Property, ...] = ("accurate", "accurate_fair", "fair")


@dataclass(frozen=True, eq=False)
class CertifiedResult:
    """What was proved.

    Attributes
    ----------
    metrics : dict
        ``dataset``, ``n_seeds``, ``n_counterparts``, and under ``curve`` for each ε its
        ``epsilon`` and ``claims``: for each of ``accurate_fair`` (R-AF), ``accurate`` (R-ACC) and
        ``fair`` (R-IF) the shares ``proved``, ``broken`` and ``undecided`` with 95 % intervals; the
        truth lies between ``proved`` and 1 − ``broken``.
    instances : DataFrame
        One row per ε, claim and seed: status, boxes bounded, and the witness with its counterpart
        in unit space, empty where there is none.
    manifest : dict
        Versions, the plan, hashes of data and model, the budget, and whether time ran out.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Curves:
    """Certificates of the same seeds at growing ε, one list for each claim.

    ``stopped`` tells whether time ran out: the seeds that were left then are undecided.
    """

    epsilons: tuple[float, ...]
    found: Mapping[Property, list[Certificate]]
    stopped: bool = False

    def metrics(self) -> list[dict[str, Any]]:
        """Return the rates, ε by ε."""
        return [
            {
                "epsilon": epsilon,
                "claims": {claim: found[place].rates() for claim, found in self.found.items()},
            }
            for place, epsilon in enumerate(self.epsilons)
        ]

    def instances(self, seeds: Seeds) -> pd.DataFrame:
        """Return one row per ε, claim and seed."""
        tables = [
            _table(seeds, epsilon, claim, found[place])
            for place, epsilon in enumerate(self.epsilons)
            for claim, found in self.found.items()
        ]
        return pd.concat(tables, ignore_index=True)


def certify_seeds(
    model: Classifier,
    data: Dataset,
    plan: Plan,
    max_nodes: int = MAX_NODES,
    claims: Sequence[Property] = CLAIMS,
    *,
    epsilons: Sequence[float] | None = None,
    max_seconds: float | None = None,
    on_progress: Callable[[str, int, int], None] = silent,
) -> CertifiedResult:
    """Certify the seeds of a plan, claim by claim.

    Parameters
    ----------
    plan : Plan
        Its seeds, ε, setting and counterparts; attacks play no part.
    max_nodes : int
        Boxes to bound per instance, claim and ε.
    claims : sequence of {"accurate_fair", "accurate", "fair"}
    epsilons : sequence of float, optional
        Several ε, in any order, in place of the plan's.
    max_seconds : float, optional
        Stop after this time, once the claim that is worked on is done for up to 256 instances; what
        is left is undecided, and the manifest says so.
    on_progress : callable
        Called with the claim, and how many instances of how many are done.

    Raises
    ------
    InvalidInput
        If the model is no ReLU network, or model and data do not fit together.
    """
    model = checked_model(model, data)
    seeds = Seeds.chosen(model, data, plan)
    chosen = [plan.radius] if epsilons is None else list(epsilons)
    curves = curves_of(
        seeds, chosen, max_nodes, claims, max_seconds=max_seconds, on_progress=on_progress
    )
    metrics = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "curve": curves.metrics(),
    }
    manifest = {**facts_about(seeds), "max_nodes": max_nodes, "stopped": curves.stopped}
    return CertifiedResult(metrics, curves.instances(seeds), manifest)


def curves_of(
    seeds: Seeds,
    epsilons: Sequence[float],
    max_nodes: int,
    claims: Sequence[Property] = CLAIMS,
    *,
    max_seconds: float | None = None,
    on_progress: Callable[[str, int, int], None] = silent,
) -> Curves:
    """Certify seeds at several ε; see ``certify_seeds``.

    Raises
    ------
    InvalidInput
    """
    check_whole("max_nodes", max_nodes, 1)
    if not epsilons or not claims:
        raise InvalidInput("nothing to certify; name at least one ε and one claim")
    for claim in claims:
        if claim not in CLAIMS:
            raise InvalidInput(f"unknown claim {claim!r}; use {', '.join(CLAIMS)}")
    if max_seconds is not None and not max_seconds > 0:
        raise InvalidInput(f"max_seconds must be above 0, not {max_seconds}")
    relu_network(seeds.model)
    end = math.inf if max_seconds is None else time.monotonic() + max_seconds
    radii = tuple(sorted(set(epsilons)))
    plans = [replace(seeds.plan, epsilon=radius) for radius in radii]
    spaces = [plan.space(seeds.data.schema) for plan in plans]
    shards: list[dict[Property, list[Certificate]]] = []
    total, done, stopped = len(claims) * len(seeds.y), 0, False
    for rows in torch.split(torch.arange(len(seeds.y)), SHARD):
        x, y = seeds.x[rows], seeds.y[rows]
        shard: dict[Property, list[Certificate]] = {}
        for claim in sorted(claims, key=ORDER.index):
            on_progress(claim, done, total)
            shard[claim] = _implied(claim, shard, x, len(spaces))
            if time.monotonic() < end:
                shard[claim] = certify_curve(
                    seeds.model,
                    x,
                    y,
                    seeds.counterparts,
                    spaces,
                    max_nodes,
                    prove=claim,
                    known=shard[claim],
                )
            else:
                stopped = True
            done += len(rows)
        shards.append(shard)
    on_progress("table", done, total)
    found = {
        claim: [
            Certificate.join([shard[claim][place] for shard in shards])
            for place in range(len(spaces))
        ]
        for claim in claims
    }
    return Curves(radii, found, stopped)


def _implied(
    claim: Property, shard: Mapping[Property, list[Certificate]], x: torch.Tensor, n: int
) -> list[Certificate]:
    """Return what the verdicts on other claims say of one.

    Where R-ACC is broken, so is R-AF, by the same witness; where R-AF is proved, so is R-IF.
    """
    if claim == "accurate_fair" and "accurate" in shard:
        return [found.only(BROKEN) for found in shard["accurate"]]
    if claim == "fair" and "accurate_fair" in shard:
        return [found.only(PROVED) for found in shard["accurate_fair"]]
    return [Certificate.unknown(x) for _ in range(n)]


def _table(seeds: Seeds, epsilon: float, claim: str, found: Certificate) -> pd.DataFrame:
    broken = (found.status == -1).tolist()

    def points(people: torch.Tensor) -> list[Any]:
        rows = people.to("cpu", torch.float64).numpy()
        return [row if here else None for row, here in zip(rows, broken, strict=True)]

    return pd.DataFrame(
        {
            "seed": seeds.index.cpu().numpy(),
            "epsilon": epsilon,
            "claim": claim,
            "status": [WORDS[status] for status in found.status.tolist()],
            "nodes": found.nodes.cpu().numpy(),
            "witness": points(found.witness),
            "witness_counterpart": points(found.witness_counterpart),
        }
    )
