"""Proves, as part of an audit, for whom nothing breaks: over I(v) and along each attribute."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.curves import Curves, curves_of
from rafair.certificates import why_uncertified
from rafair.certificates.branching import UNDECIDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.auditing.batches import Seeds
    from rafair.certificates import Certificate, Property
    from rafair.engine import Runner

__all__ = ["Proofs", "prove", "why_unproved"]

# Boxes that the first of two searches may bound, per seed, claim and ε.
BRIEFLY = 200


@dataclass(frozen=True, eq=False)
class Proofs:
    """Certificates of the seeds of an audit.

    Attributes
    ----------
    curve : list of dict
        The rates over all of I(v), ε by ε; the audit's own ε is the last.
    jointly : mapping of str to Certificate
        By claim, over all of I(v), at the audit's ε.
    alone : tuple of mapping
        The same along each sensitive attribute, in the schema's order.
    instances : DataFrame
        One row per ε, claim and seed, and what varied.
    facts : dict
        For the manifest: the budgets, and whether time ran out.
    """

    curve: list[dict[str, Any]]
    jointly: Mapping[Property, Certificate]
    alone: tuple[Mapping[Property, Certificate], ...]
    instances: pd.DataFrame
    facts: dict[str, Any]


def why_unproved(seeds: Seeds) -> str | None:
    """Return why an audit proves nothing; None if it does."""
    if seeds.plan.certify is False:
        return "proofs were not asked for"
    return why_uncertified(seeds.model)


def prove(seeds: Seeds, runner: Runner) -> Proofs:
    """Certify the seeds over I(v) at every ε, then along each attribute at the audit's own.

    All of it is searched briefly before any of it is searched to the end, so that little is open
    where the time runs out.
    """
    plan, attributes = seeds.plan, seeds.schema.sensitive
    allowed = plan.proof_seconds(len(seeds.y))
    end = time.time() + allowed
    scopes: list[str | None] = [None, *(attributes if len(attributes) > 1 else ())]
    found: dict[str | None, Curves] = {}
    for max_nodes in sorted({min(BRIEFLY, plan.max_nodes), plan.max_nodes}):
        for only in scopes:
            if not found.get(only) or _is_open(found[only]):
                found[only] = _searched(seeds, runner, only, found, max_nodes, end)
    whole = found[None]
    jointly = _last(whole)
    facts = {
        "max_nodes": plan.max_nodes,
        "max_seconds": allowed,
        "stopped": any(curves.stopped for curves in found.values()),
    }
    # R-ACC is about the person alone, whatever varies.
    alone = tuple({**jointly, **_last(found[only])} for only in scopes[1:]) or (jointly,)
    tables = pd.concat([curves.instances for curves in found.values()], ignore_index=True)
    return Proofs(whole.metrics, jointly, alone, tables, facts)


def _searched(
    seeds: Seeds,
    runner: Runner,
    only: str | None,
    found: Mapping[str | None, Curves],
    max_nodes: int,
    end: float,
) -> Curves:
    """Certify the seeds in one scope, beginning with what was found before."""
    known = dict(found[only].certificates) if only in found else {}
    budget: dict[str, Any] = {"max_nodes": max_nodes, "end": end}
    if only is None:
        return curves_of(seeds, seeds.plan.radii, runner, known=known, **budget)
    known["accurate"] = [_last(found[None])["accurate"]]
    claims: tuple[Property, ...] = ("accurate_fair", "fair")
    return curves_of(seeds, [seeds.plan.radius], runner, claims, only=only, known=known, **budget)


def _is_open(curves: Curves) -> bool:
    every = (each for several in curves.certificates.values() for each in several)
    return any(bool((certificate.status == UNDECIDED).any()) for certificate in every)


def _last(curves: Curves) -> dict[Property, Certificate]:
    """Return the certificates at the largest ε, which is the audit's own."""
    return {claim: several[-1] for claim, several in curves.certificates.items()}
