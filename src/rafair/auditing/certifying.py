"""Certifies the seeds of an audit: lower and upper bounds of R-AF, R-ACC and R-IF."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.batches import Seeds
from rafair.auditing.curves import CLAIMS, curves_of
from rafair.auditing.metadata import identity_of, manifest_of
from rafair.auditing.reaching import reachable_cells
from rafair.certificates import prover_of
from rafair.checks import check_one_of, check_positive
from rafair.engine import Engine, Memory, Runner, silent
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, STRICT, Lipschitz
from rafair.runs import CertifiedResult, load_certificates
from rafair.schema.summary import who_is_comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.certificates import Property
    from rafair.datasets import Dataset
    from rafair.engine import Progress, Store
    from rafair.models import Classifier
    from rafair.plans import Plan

__all__ = ["certify_seeds"]


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
        If the model has no certificates, model and data do not fit together, or the store holds
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
        curves = curves_of(seeds, radii, runner, claims, condition, end=_end(max_seconds))
        curve, tables, stopped = curves.metrics, [curves.instances], curves.stopped
    if cells:
        reach = reachable_cells(seeds, radii, runner, cells, condition, end=_end(max_seconds))
        curve = [{**at, "cells": of} for at, of in zip(curve, reach.metrics, strict=True)]
        tables, stopped = [*tables, reach.instances], stopped or reach.stopped
    metrics = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "comparable": who_is_comparable(seeds.schema.features),
        "curve": curve,
    }
    manifest = {
        **manifest_of(seeds),
        **condition.as_dict(),
        "max_nodes": plan.max_nodes,
        "stopped": stopped,
    }
    return CertifiedResult(metrics, pd.concat(tables, ignore_index=True), manifest)


def _end(max_seconds: float | None) -> float:
    """Return the time of day at which work that begins now must stop."""
    return math.inf if max_seconds is None else time.time() + max_seconds


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
    if max_seconds is not None:
        check_positive("max_seconds", max_seconds)
    prover_of(seeds.model)
    for epsilon in epsilons:
        replace(seeds.plan, epsilon=epsilon)
