"""Proves, as part of an audit, for whom nothing breaks: over I(v) and along each attribute."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.curves import curves_of
from rafair.problem.network import why_no_relu_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.auditing.batches import Seeds
    from rafair.certificates import Certificate, Property
    from rafair.engine import Runner

__all__ = ["Proofs", "prove", "why_unproved"]


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
    return why_no_relu_network(seeds.model)


def prove(seeds: Seeds, runner: Runner) -> Proofs:
    """Certify the seeds over I(v) at every ε, then along each attribute at the audit's own."""
    plan, attributes = seeds.plan, seeds.schema.sensitive
    allowed = plan.proof_seconds(len(seeds.y))
    end = time.time() + allowed
    whole = curves_of(seeds, plan.radii, runner, end=end)
    jointly = {claim: several[-1] for claim, several in whole.certificates.items()}
    parts = [whole]
    alone: tuple[Mapping[Property, Certificate], ...] = (jointly,)
    if len(attributes) > 1:
        # R-ACC is about the person alone, whatever varies.
        known = {"accurate": [jointly["accurate"]]}
        each = [
            curves_of(
                seeds,
                [plan.radius],
                runner,
                ("accurate_fair", "fair"),
                only=name,
                known=known,  # type: ignore[arg-type]  # the key is a claim
                end=end,
            )
            for name in attributes
        ]
        parts += each
        alone = tuple(
            jointly | {claim: several[0] for claim, several in one.certificates.items()}
            for one in each
        )
    facts = {
        "max_nodes": plan.max_nodes,
        "max_seconds": allowed,
        "stopped": any(part.stopped for part in parts),
    }
    tables = pd.concat([part.instances for part in parts], ignore_index=True)
    return Proofs(whole.metrics, jointly, alone, tables, facts)
