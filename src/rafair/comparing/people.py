"""What a run says about each of its people, as one number per person and rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from rafair.runs import AuditResult

__all__ = ["BROKEN_IN", "Bounds", "People", "clean_rows", "people_of"]

# Stage, attack and rate.
Key: TypeAlias = "tuple[str, str | None, str]"

# The cells in which an instance breaks a robust rate.
BROKEN_IN = {"r_acc": ("FF", "FB"), "r_if": ("TB", "FB"), "r_af": ("TB", "FF", "FB")}
CLAIMS = {"r_acc": "accurate", "r_if": "fair", "r_af": "accurate_fair"}
CELLS = {"tfr": "TF", "tbr": "TB", "ffr": "FF", "fbr": "FB"}
# The share of a seed's pool that a rate counts.
POOLED = {"r_acc": "pool_accurate", "r_if": "pool_fair", "r_af": "pool_tf"}
# What the instance of a person's worst cell does not say about all instances.
UNSAID = ("r_acc", "r_if", "r_dissent")
# Radii that differ less are the same number.
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Bounds:
    """Between which numbers the truth about n people lies: arrays of float64, shape (n,).

    Attributes
    ----------
    low, high : array
        Equal where the number is known.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class People:
    """The people of a run in the order of their seeds.

    Attributes
    ----------
    seeds : array of int64, shape (n,)
    rates : dict
        (stage, attack, rate) → ``Bounds``; the stage is ``"clean"``, ``"robust"`` or
        ``"attacked"``, the attack None but for the last. The mean over people is the rate of
        ``metrics.json``.
    """

    seeds: NDArray[np.int64]
    rates: Mapping[Key, Bounds]


def people_of(run: AuditResult) -> People:
    """Return what a run says about each of its people.

    A robust rate is 1 for a person whose claim is proved at the run's ε, and 0 for one whom the
    witness of a certificate, the person's own row or an instance of an attack breaks; otherwise it
    lies between. Where nothing is proved, it is 1 for everybody whom nothing breaks. With
    ``select="worst"`` the table has one of the counted instances for each person, which says
    R-AF and the cell, but neither R-ACC, R-IF nor dissent; these are left out.
    """
    tables = run.instances[run.instances["stage"] != "repaired"]
    rows = {
        (str(stage), str(attack)): part.sort_values("seed")
        for (stage, attack), part in tables.groupby(["stage", "attack"])
    }
    plan = run.manifest["plan"]
    rates: dict[Key, Bounds] = {}
    for (stage, attack), table in rows.items():
        name = None if stage == "clean" else attack
        rates |= {(stage, name, rate): known for rate, known in _rates(table, stage).items()}
    if plan["select"] == "last":
        rates |= _of_families(rates, run.manifest["cost"])
    rates |= {("robust", None, rate): bounds for rate, bounds in _robust(run, rows).items()}
    if plan["select"] == "worst":
        rates = {key: known for key, known in rates.items() if key[2] not in UNSAID}
    return People(clean_rows(run)["seed"].to_numpy(np.int64), rates)


def clean_rows(run: AuditResult) -> pd.DataFrame:
    """Return the people as they are, in the order of their seeds."""
    table = run.instances
    return table[table["stage"] == "clean"].sort_values("seed").reset_index(drop=True)


def _rates(table: pd.DataFrame, stage: str) -> dict[str, Bounds]:
    """Return the rates of the instances of one row of the result tables."""
    prefix = "" if stage == "clean" else "r_"
    if stage != "clean" and "pool" in table:
        size = table["pool"].map(len)
        columns = {**POOLED, **{rate: f"pool_{cell.lower()}" for rate, cell in CELLS.items()}}
        return {rate: _exactly(table[column] / size) for rate, column in columns.items()}
    cell = table["cell"]
    found = {rate[2:]: ~cell.isin(cells) for rate, cells in BROKEN_IN.items()}
    events = {f"{prefix}{name}": event for name, event in found.items()}
    events |= {rate: cell == name for rate, name in CELLS.items()}
    return {
        **{rate: _exactly(event) for rate, event in events.items()},
        f"{prefix}dissent": _exactly(table["dissenting"]),
    }


def _of_families(rates: Mapping[Key, Bounds], variants: Iterable[str]) -> dict[Key, Bounds]:
    """Return the rates that a family's row counts over all its variants, not over the worst."""
    attacks = {attack for _, attack, _ in rates if attack is not None}
    found: dict[Key, Bounds] = {}
    for family in attacks.difference(variants):
        own = [name for name in variants if name.startswith(f"{family}-")]
        for rate, combined in (("r_acc", np.min), ("r_if", np.min), ("r_dissent", np.max)):
            values = combined([rates["attacked", name, rate].low for name in own], axis=0)
            found["attacked", family, rate] = Bounds(values, values)
    return found


def _robust(run: AuditResult, rows: Mapping[tuple[str, str], pd.DataFrame]) -> dict[str, Bounds]:
    found = {}
    for rate, cells in BROKEN_IN.items():
        unbroken = ~np.any([_breaks(table, rate, cells) for table in rows.values()], axis=0)
        if run.certificates is None:
            found[rate] = Bounds(unbroken.astype(float), unbroken.astype(float))
        else:
            status = _status(run.certificates, run.manifest["plan"]["epsilon"], CLAIMS[rate])
            high = unbroken & (status != "broken")
            found[rate] = Bounds((status == "proved").astype(float), high.astype(float))
    return found


def _breaks(table: pd.DataFrame, rate: str, cells: tuple[str, ...]) -> NDArray[np.bool_]:
    """Tell whom a row of the table breaks: of a pool any instance does, shape (n,)."""
    broken = table["cell"].isin(cells).to_numpy()
    if "pool" not in table or table["pool"].isna().all():
        return broken
    return (table[POOLED[rate]].astype(float) < table["pool"].map(len)).to_numpy()


def _status(certificates: pd.DataFrame, epsilon: float, claim: str) -> NDArray[np.object_]:
    """Return what is proved of each seed over all of I(v), at the audit's ε."""
    at = (certificates["epsilon"] - epsilon).abs() < EQUAL
    rows = certificates[at & (certificates["claim"] == claim) & certificates["varied"].isna()]
    return rows.sort_values("seed")["status"].to_numpy(object)


def _exactly(values: pd.Series) -> Bounds:
    known = values.to_numpy(np.float64)
    return Bounds(known, known)
