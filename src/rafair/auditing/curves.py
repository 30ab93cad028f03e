"""Proves claims about the seeds at growing ε, over I(v) or along one sensitive attribute."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import torch

from rafair.auditing.batches import Batch
from rafair.certificates import Certificate, Property, certify_curve
from rafair.certificates.branching import BROKEN
from rafair.certificates.implications import accurate_fair_if_accurate, fair_if_accurate_fair
from rafair.engine import Shard, Task, merged
from rafair.fairness import STRICT, Lipschitz
from rafair.problem.dense import undisturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.auditing.batches import SeedRows, Seeds
    from rafair.engine import Runner
    from rafair.models import Classifier
    from rafair.plans import Plan
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.schema import Schema

__all__ = ["CLAIMS", "Curves", "curves_of", "kept_points", "verdict_rows"]

# The largest and the smallest number of seeds of a shard, and the number of shards to aim for. The
# open boxes of a shard must fit into memory; smaller shards show progress more often.
SHARD, LEAST, SHARDS = 256, 128, 64
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
    only: str | None
    end: float
    condition: Lipschitz


@dataclass(frozen=True, eq=False)
class _Work:
    """Some seeds, and the certificates that are known of them: by claim, one for each ε."""

    rows: SeedRows
    known: Mapping[Property, list[Certificate]] = field(default_factory=dict)


def curves_of(
    seeds: Seeds,
    radii: Sequence[float],
    runner: Runner,
    claims: Sequence[Property] = CLAIMS,
    condition: Lipschitz = STRICT,
    *,
    max_nodes: int | None = None,
    only: str | None = None,
    known: Mapping[Property, list[Certificate]] | None = None,
    end: float = math.inf,
) -> Curves:
    """Certify seeds at growing ε.

    Parameters
    ----------
    radii : sequence of float
        Every ε, the smallest first.
    condition : Lipschitz
        The judge's; see ``certify_seeds``.
    max_nodes : int, optional
        Boxes to bound per seed, claim and ε, instead of the plan's.
    only : str, optional
        The one sensitive attribute that varies, instead of all of them.
    known : mapping of str to list of Certificate, optional
        By claim, certificates from earlier, one for each ε. What they decide is not searched again.
    end : float
        Time of day, as ``time.time`` gives it, at which what is still open becomes undecided.
    """
    nodes = max_nodes or seeds.plan.max_nodes
    question = _Question(tuple(claims), tuple(radii), nodes, only, end, condition)
    varied = "" if only is None else f"-{seeds.schema.sensitive.index(only)}"
    size = min(SHARD, max(LEAST, math.ceil(len(seeds.y) / SHARDS)))
    tasks = [
        Task(
            f"certified{varied}-{nodes}-{place:06d}",
            work,
            f"certificates {only or ''}".strip(),
            len(work.rows.y),
        )
        for place, work in enumerate(_pieces(seeds, size, known or {}))
    ]
    shards = runner.run(partial(_certify, seeds.model, seeds.schema, seeds.plan, question), tasks)
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
        _table(seeds, radius, claim, only, several[place])
        for place, radius in enumerate(radii)
        for claim, several in found.items()
    ]
    stopped = not all(shard.is_whole for shard in shards)
    return Curves(found, rates, pd.concat(tables, ignore_index=True), stopped)


def _pieces(seeds: Seeds, size: int, known: Mapping[Property, list[Certificate]]) -> list[_Work]:
    """Split the seeds, and what is known of them, into pieces."""
    rows = seeds.split(size)
    parts = {claim: [_split(one, size) for one in several] for claim, several in known.items()}
    return [
        _Work(piece, {claim: [one[place] for one in several] for claim, several in parts.items()})
        for place, piece in enumerate(rows)
    ]


def _split(certificate: Certificate, size: int) -> list[Certificate]:
    names = Certificate.__dataclass_fields__
    pieces = (torch.split(getattr(certificate, name), size) for name in names)
    # A slice would pickle the whole tensor.
    return [
        Certificate(*(tensor.clone() for tensor in piece)) for piece in zip(*pieces, strict=True)
    ]


def _certify(
    model: Classifier, schema: Schema, plan: Plan, question: _Question, work: _Work
) -> Shard:
    """Certify some seeds."""
    with undisturbed(model):
        return _shard(model, schema, plan, question, work)


def _shard(
    model: Classifier, schema: Schema, plan: Plan, question: _Question, work: _Work
) -> Shard:
    batch = Batch.load(model, schema, plan, work.rows)
    people = plan.people(schema, question.only)
    spaces = [replace(plan, epsilon=radius).space(schema) for radius in question.radii]
    problem = (model, batch.x, batch.y, people)
    found = dict(work.known)
    for claim in sorted(question.claims, key=ORDER.index):
        found[claim] = _known(claim, found, problem, spaces, question.condition)
        if time.time() < question.end:
            how: dict[str, Any] = {"known": found[claim], "until": question.end}
            how |= question.condition.as_dict()
            found[claim] = certify_curve(*problem, spaces, question.max_nodes, claim=claim, **how)
    stopped = time.time() >= question.end
    tensors = {
        f"{claim}.{place}.{name}": tensor
        for claim in question.claims
        for place, certificate in enumerate(found[claim])
        for name, tensor in vars(certificate).items()
    }
    return Shard(tensors, {"stopped": stopped})


def _certificate(tensors: Mapping[str, Tensor], claim: Property, place: int) -> Certificate:
    names = Certificate.__dataclass_fields__
    return Certificate(**{name: tensors[f"{claim}.{place}.{name}"] for name in names})


def _known(
    claim: Property,
    known: Mapping[Property, list[Certificate]],
    problem: tuple[Classifier, Tensor, Tensor, Counterparts],
    spaces: Sequence[PerturbationSpace],
    condition: Lipschitz,
) -> list[Certificate]:
    """Return the verdicts on a claim from earlier, and those that follow from other claims."""
    implied = [Certificate.unknown(problem[1]) for _ in spaces]
    if claim == "accurate_fair" and "accurate" in known:
        implied = [accurate_fair_if_accurate(each) for each in known["accurate"]]
    if claim == "fair" and "accurate_fair" in known:
        implied = [
            fair_if_accurate_fair(each, *problem, space, condition)
            for each, space in zip(known["accurate_fair"], spaces, strict=True)
        ]
    earlier = known.get(claim, implied)
    return [each.or_else(more) for each, more in zip(earlier, implied, strict=True)]


def _table(
    seeds: Seeds, epsilon: float, claim: str, only: str | None, certificate: Certificate
) -> pd.DataFrame:
    is_broken = certificate.status == BROKEN
    words = [WORDS[status] for status in certificate.status.tolist()]
    points = {
        "witness": kept_points(certificate.witness, is_broken),
        "witness_counterpart": kept_points(certificate.witness_counterpart, is_broken),
    }
    return verdict_rows(seeds, (epsilon, claim, only), words, certificate.nodes, points)


def kept_points(points: Tensor, kept: Tensor) -> list[Any]:
    """Return points, (n, d), as rows of a table; None where they are not kept, (n,)."""
    rows = points.to(torch.float64).numpy()
    return [row if keep else None for row, keep in zip(rows, kept.tolist(), strict=True)]


def verdict_rows(
    seeds: Seeds,
    question: tuple[float, str, str | None],
    words: list[str],
    nodes: Tensor,
    points: Mapping[str, Any],
) -> pd.DataFrame:
    """Return a row of ``certificates.parquet`` for each seed.

    Parameters
    ----------
    question : (float, str, str or None)
        ε, the claim or cell, and the one sensitive attribute that varies.
    words : list of str
        The verdicts.
    points : mapping
        The columns of witnesses.
    """
    epsilon, claim, varied = question
    status = pd.Series(words)
    return pd.DataFrame(
        {
            "seed": seeds.index.cpu().numpy(),
            "epsilon": epsilon,
            "claim": claim,
            # A text column like any other also where nothing is named.
            "varied": pd.Series([varied] * len(words), dtype=status.dtype),
            "status": status,
            "nodes": nodes.numpy(),
            **points,
        }
    )
