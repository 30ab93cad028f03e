"""What an audit returns, and what a run directory holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["AuditResult"]


@dataclass(frozen=True, eq=False)
class AuditResult:
    """A finished audit.

    Attributes
    ----------
    metrics : dict
        ``dataset``, ``n_seeds``, ``n_counterparts``, ``clean``, ``attacks`` and ``repairs`` (rates
        by attack, with 95 % intervals under ``"ci"``), and ``by_sensitive``: the same rates where
        only one sensitive attribute varies.
    instances : DataFrame
        One row per seed and stage (clean, attacked, repaired) and attack: the person in original
        units, the decision, the cell, the smallest sensitive change that flips the decision
        (``flip_…``), the worst counterpart (``worst_…``), and the exact point (``x``, unit space).
    manifest : dict
        Versions, the plan, hashes of data and model, the schema, accuracy beside majority share.
    certificates : DataFrame or None
        One row per ε, claim and seed of a certified audit, see ``CertifiedResult``; ``metrics``
        then has ``certificates``: the curve, and how many proofs an attack contradicted.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]
    certificates: pd.DataFrame | None = None
