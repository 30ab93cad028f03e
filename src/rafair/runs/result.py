"""The results of an audit and of certificates, as a run directory holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.display import Table, as_html, as_text
from rafair.errors import InvalidInput
from rafair.plots import Plot
from rafair.runs.summary import cells_table, certificates_table, headline
from rafair.runs.tidy import tidy

if TYPE_CHECKING:
    from rafair.datasets import Dataset

__all__ = ["AuditResult", "CertifiedResult"]


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
        Of a certified audit, one row per ε, claim and seed, see ``CertifiedResult``; ``metrics``
        then also has ``certificates``: the curve, and the number of proofs that an attack
        contradicted.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]
    certificates: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return "\n".join([as_text(self._answer), *self._remarks])

    def _repr_html_(self) -> str:
        return as_html(self._answer, self._remarks)

    @property
    def plot(self) -> Plot:
        """The figures of the audit, drawn by ``.curves()``, ``.matrix()`` and ``.groups()``.

        Each returns axes of matplotlib, which notebooks show and programs may change.
        """
        return Plot(self.metrics, self.instances, self.manifest, self.certificates)

    @property
    def _answer(self) -> Table:
        table = headline(self.metrics, self.manifest["plan"]["epsilon"])
        return replace(table, title=f"AuditResult of {table.title}")

    @property
    def _remarks(self) -> list[str]:
        """What a reader of the table alone would miss, in one line each."""
        why_not = self.manifest["proofs"]["why_not"]
        found = [] if why_not is None else [f"Nothing is proved: {why_not}."]
        if self.manifest["inconclusive"]:
            found.append("Inconclusive: no attack had any effect.")
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return all rates as a tidy frame, one row per rate.

        Returns
        -------
        DataFrame
            ``varied``: the one sensitive attribute that varies in I(v), None where all do.
            ``stage``: ``"clean"``; ``"robust"``, under every change in Δ; ``"attacked"``,
            ``"repaired"`` or ``"repairable"`` (the shares of an attack's instances that a repair
            could reach). ``attack``: the row of the attack, None for the first two stages.
            ``rate``: its name as in ``metrics``. ``value``: a share in [0, 1]. ``low``, ``high``:
            its 95 % interval. ``bound``: of robust rates ``"at_least"`` (proved) or ``"at_most"``
            (nothing breaks it), a row for each; the truth lies between. None for other stages.

        Examples
        --------
        ``out.to_frame().query("stage == 'robust'").pivot_table("value", "rate", "bound")``
        """
        return tidy(self.metrics)

    def people(self, data: Dataset, stage: str = "attacked", attack: str | None = None) -> Any:
        """Return instances as rows of the audited table, in its kind of frame.

        Parameters
        ----------
        data : Dataset
            The data that were audited.
        stage : {"clean", "attacked", "repaired"}
        attack : str, optional
            A row of the result; may be left out if there is only one.

        Returns
        -------
        pandas, polars or pyarrow table
            The columns of the table that was read, with the label, in original units; one row per
            seed, in the order of ``instances``.

        Raises
        ------
        InvalidInput
            If there is no such stage or attack, or several attacks and none is named.
        """
        import torch

        rows = self.instances[self.instances["stage"] == stage]
        names = list(dict.fromkeys(rows["attack"]))
        if attack is None and len(names) == 1:
            attack = names[0]
        if attack not in names:
            known = ", ".join(names) or "none"
            raise InvalidInput(f"stage {stage!r} has no attack {attack!r}; it has {known}")
        rows = rows[rows["attack"] == attack]
        labels = pd.Index(data.schema.classes).get_indexer(pd.Index(rows["label"]))
        points = torch.from_numpy(np.stack(rows["x"].tolist()))
        return data.decode(points, torch.from_numpy(labels.astype(np.int64)))


@dataclass(frozen=True, eq=False)
class CertifiedResult:
    """The result of certificates.

    Attributes
    ----------
    metrics : dict
        ``dataset``, ``n_seeds``, ``n_counterparts``, and under ``curve`` for each ε its
        ``epsilon`` and ``claims``: for each of ``accurate_fair`` (R-AF), ``accurate`` (R-ACC) and
        ``fair`` (R-IF) the shares ``proved``, ``broken`` and ``undecided`` with 95 % intervals; the
        truth lies between ``proved`` and 1 − ``broken``. Where cells were asked for, each ε also
        has ``cells``: for each of them the shares ``reachable``, ``impossible`` and ``undecided``.
    instances : DataFrame
        One row per ε, claim and seed: status, boxes bounded, and the witness with its counterpart
        in unit space; empty if there is none.
    manifest : dict
        Versions, the plan, hashes of data and model, the budget, and under ``stopped`` whether time
        ran out.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return "\n".join(as_text(table) for table in self._tables)

    def _repr_html_(self) -> str:
        return "".join(as_html(table) for table in self._tables)

    @property
    def _tables(self) -> list[Table]:
        """What is proved of the claims, and of the cells, where each was asked for."""
        curve = self.metrics["curve"]
        found = [certificates_table(self.metrics, curve)] if curve[0]["claims"] else []
        found += [cells_table(self.metrics, curve)] if "cells" in curve[0] else []
        return [replace(table, title=f"CertifiedResult of {table.title}") for table in found]
