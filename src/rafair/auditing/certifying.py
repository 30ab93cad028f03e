"""Certifies the seeds of an audit: lower and upper bounds of R-AF, R-ACC and R-IF."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch

from rafair.auditing.batches import Batch, Seeds
from rafair.auditing.metadata import identity_of, manifest_of
from rafair.auditing.reaching import reachable_cells
from rafair.certificates import Certificate, Property, certify_curve
from rafair.certificates.branching import BROKEN, PROVED
from rafair.checks import check_one_of
from rafair.engine import Engine, Memory, Runner, Shard, Task, merged, silent
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, STRICT, Lipschitz
from rafair.problem.network import relu_network
from rafair.runs import CertifiedResult, load_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.auditing.batches import SeedRows
    from rafair.datasets import Dataset
    from rafair.engine import Progress, Store
    from rafair.models import Classifier
    from rafair.plans import Plan
    from rafair.schema import Schema

__all__ = ["CLAIMS", "Curves", "certify_seeds", "curves_of"]

# The largest and the smallest number of seeds of a shard, and the number of shards to aim for. The
# open boxes of a shard must fit into memory; smaller shards show progress more often.
SHARD, LEAST, SHARDS = 256, 32, 64
WORDS = {1: "proved", -1: "broken", 0: "undecided"}
CLAIMS: tuple[Property, ...] = get_args(Property)
# In this order: a claim can use the verdicts on the claims before it.
ORDER: tuple[Property, ...] = ("accurate", "accurate_fair", "fair")


@dataclass(frozen=True, eq=False)
class Curves:
    """Certificates of the same seeds at growing ε.

    Attributes
    ----------
    certificates : mapping of str to list of Certificate
        By claim, one for each ε.
    metrics : list of dict
        The rates, ε by ε.
    instances : DataFrame
        One row per ε, claim and seed.
    stopped : bool
        Whether time ran out; the seeds that were not done by then are undecided.
    """

    certificates: Mapping[Property, list[Certificate]]
    metrics: list[dict[str, Any]]
    instances: pd.DataFrame
    stopped: bool


@dataclass(frozen=True)
class _Question:
    """What is to be certified, and when to stop.

    ``end`` is a time of day, since workers on other machines share no other clock.
    """

    claims: tuple[Property, ...]
    radii: tuple[float, ...]
    max_nodes: int
    end: float
    condition: Lipschitz


def certify_seeds(
    model: Classifier,
    data: Dataset,
    plan: Plan,
    claims: Sequence[Property] = CLAIMS,
    *,
    cells: Sequence[str] = (),
    epsilons: Sequence[float] | None = None,
    condition: Lipschitz = STRICT,
    max_seconds: float | None = None,
    engine: Engine | None = None,
    store: Store | None = None,
    on_progress: Progress = silent,
) -> CertifiedResult:
    """Certify the seeds of a plan, claim by claim and cell by cell.

    Parameters
    ----------
    plan : Plan
        Its seeds, ε, setting, counterparts and ``max_nodes`` are used, its attacks are not.
    claims : sequence of {"accurate_fair", "accurate", "fair"}
    cells : sequence of {"TF", "TB", "FF", "FB"}
        Cells of Table 1 of which to decide who can be moved into them (``certify_cells``).
    epsilons : sequence of float, optional
        Several ε, in any order, instead of the plan's.
    condition : Lipschitz
        K, D and d of the judge whose question is answered; by default K = 0. D and d by name.
    max_seconds : float, optional
        Stop after this time, when each worker has finished its claim for a shard. The rest is
        undecided, and the manifest says so; a run in a directory can continue with it. Claims and
        cells have this time each.
    engine, store : see ``rafair.audit``.
    on_progress : callable
        Called with what is being done, how many instances are done, and how many there are.

    Raises
    ------
    InvalidInput
        If the model is no ReLU network, model and data do not fit together, or the store holds
        another run.
    """
    seeds = Seeds.chosen(model, data, plan)
    chosen = [plan.radius] if epsilons is None else list(epsilons)
    _check(seeds, chosen, claims, cells, max_seconds)
    radii = tuple(sorted(set(chosen)))
    runner = Runner(store or Memory(), engine or Engine(), on_progress)
    finished = runner.store.begin(
        identity_of("certificates", seeds, radii, claims, cells, condition)
    )
    if finished is not None:
        return load_certificates(finished)
    curve: list[dict[str, Any]] = [{"epsilon": radius, "claims": {}} for radius in radii]
    tables, stopped = [], False
    if claims:
        curves = curves_of(seeds, radii, runner, claims, condition, max_seconds=max_seconds)
        curve, tables, stopped = curves.metrics, [curves.instances], curves.stopped
    if cells:
        reach = reachable_cells(seeds, radii, runner, cells, condition, max_seconds=max_seconds)
        curve = [{**at, "cells": of} for at, of in zip(curve, reach.metrics, strict=True)]
        tables, stopped = [*tables, reach.instances], stopped or reach.stopped
    metrics = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "curve": curve,
    }
    manifest = {
        **manifest_of(seeds),
        **condition.as_dict(),
        "max_nodes": plan.max_nodes,
        "stopped": stopped,
    }
    return CertifiedResult(metrics, pd.concat(tables, ignore_index=True), manifest)


def curves_of(
    seeds: Seeds,
    radii: tuple[float, ...],
    runner: Runner,
    claims: Sequence[Property] = CLAIMS,
    condition: Lipschitz = STRICT,
    *,
    max_seconds: float | None = None,
) -> Curves:
    """Certify seeds at growing ε; see ``certify_seeds``."""
    end = math.inf if max_seconds is None else time.time() + max_seconds
    question = _Question(tuple(claims), radii, seeds.plan.max_nodes, end, condition)
    size = min(SHARD, max(LEAST, math.ceil(len(seeds.y) / SHARDS)))
    tasks = [
        Task(f"certified-{place:06d}", rows, "certificates", len(rows.y))
        for place, rows in enumerate(seeds.split(size))
    ]
    function = partial(_certify, seeds.model, seeds.schema, seeds.plan, question)
    shards = runner.run(function, tasks)
    tensors = merged(shards)
    found = {
        claim: [_certificate(tensors, claim, place) for place in range(len(radii))]
        for claim in claims
    }
    rates = [
        {
            "epsilon": radius,
            "claims": {claim: several[place].rates() for claim, several in found.items()},
        }
        for place, radius in enumerate(radii)
    ]
    tables = [
        _table(seeds, radius, claim, several[place])
        for place, radius in enumerate(radii)
        for claim, several in found.items()
    ]
    stopped = not all(shard.is_whole for shard in shards)
    return Curves(found, rates, pd.concat(tables, ignore_index=True), stopped)


def _check(
    seeds: Seeds,
    epsilons: Sequence[float],
    claims: Sequence[Property],
    cells: Sequence[str],
    max_seconds: float | None,
) -> None:
    if not epsilons or not (claims or cells):
        raise InvalidInput("nothing to certify; name at least one ε and one claim or cell")
    for cell in cells:
        check_one_of("cell", cell, CELLS)
    for claim in claims:
        if claim not in CLAIMS:
            raise InvalidInput(f"unknown claim {claim!r}; use {', '.join(CLAIMS)}")
    if max_seconds is not None and not max_seconds > 0:
        raise InvalidInput(f"max_seconds must be above 0, not {max_seconds}")
    relu_network(seeds.model)
    for epsilon in epsilons:
        replace(seeds.plan, epsilon=epsilon)


def _certify(
    model: Classifier, schema: Schema, plan: Plan, question: _Question, rows: SeedRows
) -> Shard:
    """Certify some seeds."""
    batch = Batch.load(model, schema, plan, rows)
    spaces = [replace(plan, epsilon=radius).space(schema) for radius in question.radii]
    found: dict[Property, list[Certificate]] = {}
    stopped = False
    for claim in sorted(question.claims, key=ORDER.index):
        found[claim] = _implied(claim, found, batch.x, len(spaces))
        if time.time() < question.end:
            found[claim] = certify_curve(
                model,
                batch.x,
                batch.y,
                batch.counterparts,
                spaces,
                question.max_nodes,
                prove=claim,
                known=found[claim],
                **question.condition.as_dict(),
            )
        else:
            stopped = True
    tensors = {
        f"{claim}.{place}.{name}": tensor
        for claim, several in found.items()
        for place, certificate in enumerate(several)
        for name, tensor in vars(certificate).items()
    }
    return Shard(tensors, {"stopped": stopped})


def _certificate(tensors: Mapping[str, Tensor], claim: Property, place: int) -> Certificate:
    names = Certificate.__dataclass_fields__
    return Certificate(**{name: tensors[f"{claim}.{place}.{name}"] for name in names})


def _implied(
    claim: Property, known: Mapping[Property, list[Certificate]], x: Tensor, n: int
) -> list[Certificate]:
    """Return the verdicts on a claim that follow from those on other claims.

    A witness against R-ACC is one against R-AF; a proof of R-AF is one of R-IF.
    """
    if claim == "accurate_fair" and "accurate" in known:
        return [certificate.only(BROKEN) for certificate in known["accurate"]]
    if claim == "fair" and "accurate_fair" in known:
        return [certificate.only(PROVED) for certificate in known["accurate_fair"]]
    return [Certificate.unknown(x) for _ in range(n)]


def _table(seeds: Seeds, epsilon: float, claim: str, certificate: Certificate) -> pd.DataFrame:
    broken = (certificate.status == BROKEN).tolist()

    def points(people: Tensor) -> list[Any]:
        rows = people.to(torch.float64).numpy()
        return [row if here else None for row, here in zip(rows, broken, strict=True)]

    return pd.DataFrame(
        {
            "seed": seeds.index.cpu().numpy(),
            "epsilon": epsilon,
            "claim": claim,
            "status": [WORDS[status] for status in certificate.status.tolist()],
            "nodes": certificate.nodes.numpy(),
            "witness": points(certificate.witness),
            "witness_counterpart": points(certificate.witness_counterpart),
        }
    )
