"""Certificates for the seeds of an audit: R-AF, R-ACC and R-IF, each between two bounds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch

from rafair.auditing.engine import Engine
from rafair.auditing.facts import facts_about
from rafair.auditing.identity import identity_of
from rafair.auditing.plan import check_whole
from rafair.auditing.result import CertifiedResult
from rafair.auditing.seeds import Block, Seeds, checked_model, silent
from rafair.auditing.shards import Memory, Runner, Shard, Task, merged
from rafair.auditing.store import load_certificates
from rafair.certificates import MAX_NODES, Certificate, Property, certify_curve
from rafair.certificates.branching import BROKEN, PROVED
from rafair.errors import InvalidInput
from rafair.problem.network import relu_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from rafair.auditing.plan import Plan
    from rafair.auditing.seeds import Part
    from rafair.auditing.shards import Store
    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.schema import Schema

__all__ = ["CLAIMS", "Curves", "certify_seeds", "curves_of"]

# Instances that are certified together: their open boxes must fit memory, and fewer would only
# show progress more often. A run is cut into about so many shards, between those bounds.
SHARD, LEAST, SHARDS = 256, 32, 64
WORDS = {1: "proved", -1: "broken", 0: "undecided"}
CLAIMS: tuple[Property, ...] = get_args(Property)
# Each can use the verdicts on those before it.
ORDER: tuple[Property, ...] = ("accurate", "accurate_fair", "fair")


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
    engine: Engine | None = None,
    store: Store | None = None,
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
        Stop after this time, once each worker is done with its claim for a shard; what is left is
        undecided, and the manifest says so. A run that is kept can go on with what is left.
    engine, store : see ``rafair.audit``.
    on_progress : callable
        Called with what is done, and how many instances of how many.

    Raises
    ------
    InvalidInput
        If the model is no ReLU network, model and data do not fit together, or the store holds
        another run.
    """
    model = checked_model(model, data)
    seeds = Seeds.chosen(model, data, plan)
    chosen = [plan.radius] if epsilons is None else list(epsilons)
    _check(seeds, chosen, max_nodes, claims, max_seconds)
    runner = Runner(store or Memory(), engine or Engine(), on_progress)
    certified = {"claims": list(claims), "epsilons": _radii(chosen), "max_nodes": max_nodes}
    kept = runner.store.begin(identity_of("certificates", seeds, certified))
    if kept is not None:
        return load_certificates(kept)
    curves = curves_of(seeds, chosen, max_nodes, claims, max_seconds=max_seconds, runner=runner)
    metrics = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "curve": curves.metrics(),
    }
    manifest = {**facts_about(seeds), "max_nodes": max_nodes, "stopped": curves.stopped}
    return CertifiedResult(metrics, curves.instances(seeds), manifest)


@dataclass(frozen=True)
class _Question:
    """What is to be certified, and until when by the clock on the wall.

    That clock is the one that workers on other machines share.
    """

    claims: tuple[Property, ...]
    radii: tuple[float, ...]
    max_nodes: int
    end: float


def curves_of(
    seeds: Seeds,
    epsilons: Sequence[float],
    max_nodes: int,
    claims: Sequence[Property] = CLAIMS,
    *,
    max_seconds: float | None = None,
    runner: Runner,
) -> Curves:
    """Certify seeds at several ε; see ``certify_seeds``.

    Raises
    ------
    InvalidInput
    """
    _check(seeds, epsilons, max_nodes, claims, max_seconds)
    end = math.inf if max_seconds is None else time.time() + max_seconds
    question = _Question(tuple(claims), _radii(epsilons), max_nodes, end)
    size = min(SHARD, max(LEAST, math.ceil(len(seeds.y) / SHARDS)))
    tasks = [
        Task(f"certified-{place:06d}", part, "certificates", len(part.y))
        for place, part in enumerate(seeds.parts(size))
    ]
    function = partial(_shard, seeds.model, seeds.schema, seeds.plan, question)
    shards = runner.run(function, tasks)
    tensors = merged(shards)
    found = {
        claim: [_certificate(tensors, claim, place) for place in range(len(question.radii))]
        for claim in claims
    }
    return Curves(question.radii, found, not all(shard.is_whole for shard in shards))


def _radii(epsilons: Sequence[float]) -> tuple[float, ...]:
    return tuple(sorted(set(epsilons)))


def _check(
    seeds: Seeds,
    epsilons: Sequence[float],
    max_nodes: int,
    claims: Sequence[Property],
    max_seconds: float | None,
) -> None:
    check_whole("max_nodes", max_nodes, 1)
    if not epsilons or not claims:
        raise InvalidInput("nothing to certify; name at least one ε and one claim")
    for claim in claims:
        if claim not in CLAIMS:
            raise InvalidInput(f"unknown claim {claim!r}; use {', '.join(CLAIMS)}")
    if max_seconds is not None and not max_seconds > 0:
        raise InvalidInput(f"max_seconds must be above 0, not {max_seconds}")
    relu_network(seeds.model)
    for epsilon in epsilons:
        replace(seeds.plan, epsilon=epsilon)


def _shard(model: Classifier, schema: Schema, plan: Plan, question: _Question, part: Part) -> bytes:
    """Certify some seeds."""
    block = Block.at(model, schema, plan, part)
    spaces = [replace(plan, epsilon=radius).space(schema) for radius in question.radii]
    found: dict[Property, list[Certificate]] = {}
    stopped = False
    for claim in sorted(question.claims, key=ORDER.index):
        found[claim] = _implied(claim, found, block.x, len(spaces))
        if time.time() < question.end:
            found[claim] = certify_curve(
                model,
                block.x,
                block.y,
                block.counterparts,
                spaces,
                question.max_nodes,
                prove=claim,
                known=found[claim],
            )
        else:
            stopped = True
    tensors = {
        f"{claim}.{place}.{name}": tensor
        for claim, several in found.items()
        for place, certificate in enumerate(several)
        for name, tensor in vars(certificate).items()
    }
    return Shard(tensors, {"stopped": stopped}).encode()


def _certificate(tensors: Mapping[str, Tensor], claim: Property, place: int) -> Certificate:
    names = Certificate.__dataclass_fields__
    return Certificate(**{name: tensors[f"{claim}.{place}.{name}"] for name in names})


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
        rows = people.to(torch.float64).numpy()
        return [row if here else None for row, here in zip(rows, broken, strict=True)]

    return pd.DataFrame(
        {
            "seed": seeds.index.cpu().numpy(),
            "epsilon": epsilon,
            "claim": claim,
            "status": [WORDS[status] for status in found.status.tolist()],
            "nodes": found.nodes.numpy(),
            "witness": points(found.witness),
            "witness_counterpart": points(found.witness_counterpart),
        }
    )
