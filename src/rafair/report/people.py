"""People in words: who they are, what changed, who is decided otherwise, how near the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.report.words import percent, strongest_attack
from rafair.schema.cells import in_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.runs import AuditResult

__all__ = ["Holds", "Story", "chosen_stories", "holding", "row_names", "stage_rows"]

# Moves that are smaller, in shares of the range, are not told.
SHOWN = 0.005


@dataclass(frozen=True)
class Holds:
    """How near to the boundary a person is, in ε, as the certificates of R-AF tell it.

    Attributes
    ----------
    proved : float or None
        The largest ε that is proved; None if none is.
    broken : float or None
        The smallest ε at which an example breaks it; 0 if the person as they are is no true fair
        instance; None if no example is known.
    """

    proved: float | None = None
    broken: float | None = None

    def __str__(self) -> str:
        if self.broken == 0:
            return "already broken"
        parts = [] if self.proved is None else [f"proved up to {self.proved:g}"]
        parts += [] if self.broken is None else [f"broken at {self.broken:g}"]
        return ", ".join(parts) or "undecided"


@dataclass(frozen=True)
class Story:
    """One person under the strongest attack, in words.

    Attributes
    ----------
    row : str
        The row of the test split, as the user's table calls it.
    start, cell : str
        TF, TB, FF or FB, before and after the attack.
    alike : int
        Number of people with the same cells and decisions before and after.
    who : list of (feature, value)
        The person before the attack.
    changes : list of (feature, before, after)
        Values that the attack changed.
    moved : str
        Features that moved too little to get another value, with the move in unit space.
    label, before, after : str
        The true label, and the decisions on the person before and after the attack.
    flips : str
        The counterpart with the smallest change that gets another decision, and this decision;
        empty if there is none.
    worst : str
        The counterpart with the largest loss, and the decision on it.
    dissenting : str
        Share of the counterparts that get another decision than the person.
    holds : str
        How near the boundary, see ``Holds``.
    """

    row: str
    start: str
    cell: str
    alike: int
    who: list[tuple[str, str]]
    changes: list[tuple[str, str, str]]
    moved: str
    label: str
    before: str
    after: str
    flips: str
    worst: str
    dissenting: str
    holds: str


def chosen_stories(run: AuditResult, n: int = 6) -> list[Story]:
    """Return up to n people who differ: one for each kind of outcome of the strongest attack.

    A kind is the cells and decisions before and after. Kinds in which something broke come first,
    then the frequent ones; of each, the person whom the smallest change was enough for.
    """
    clean = stage_rows(run, "clean")
    rows = stage_rows(run, "attacked", strongest_attack(run.metrics))
    moves = np.abs(np.stack(rows["x"].tolist()) - np.stack(clean["x"].tolist())).max(axis=1)
    outcome = (clean["cell"], rows["cell"], clean["prediction"], rows["prediction"])
    kinds = pd.DataFrame(
        {"kind": list(zip(*outcome, strict=True)), "move": moves}, index=rows.index
    ).sort_values("move", kind="stable")
    alike = kinds["kind"].value_counts(sort=False)
    firsts = kinds.reset_index().groupby("kind", sort=False)["seed"].first()
    order = sorted(alike.index, key=lambda kind: (kind[1] == "TF", kind[0] != "TF", -alike[kind]))
    known = holding(run)
    return [
        _story(clean.xs(seed), rows.xs(seed), run.manifest["schema"], int(alike[kind]), known[seed])
        for kind in order[:n]
        for seed in [int(firsts[kind])]
    ]


def stage_rows(run: AuditResult, stage: str, attack: str | None = None) -> pd.DataFrame:
    """Return the instances of a stage by seed, all in the order of the clean ones."""
    rows = run.instances[run.instances["stage"] == stage]
    if attack is not None:
        rows = rows[rows["attack"] == attack]
    order = run.instances.loc[run.instances["stage"] == "clean", "seed"]
    return rows.set_index("seed").loc[order]


def row_names(rows: pd.DataFrame) -> list[str]:
    """Return what the user's table calls the rows; the seeds if it has no names."""
    return [str(name) for name in rows.get("row", rows.index.to_series())]


def holding(run: AuditResult) -> dict[int, Holds]:
    """Return for each seed how near the boundary it is, from certificates and attacks."""
    clean = stage_rows(run, "clean")
    attacked = run.instances[(run.instances["stage"] == "attacked")]
    found = attacked.loc[attacked["cell"] != "TF", ["seed"]].assign(
        status="broken", epsilon=run.manifest["plan"]["epsilon"]
    )
    if run.certificates is not None:
        rows = run.certificates
        rows = rows[rows["varied"].isna() & (rows["claim"] == "accurate_fair")]
        found = pd.concat([found, rows[["seed", "status", "epsilon"]]])
    proved = found[found["status"] == "proved"].groupby("seed")["epsilon"].max().to_dict()
    broken = found[found["status"] == "broken"].groupby("seed")["epsilon"].min().to_dict()
    unfair = clean["cell"] != "TF"
    return {
        seed: Holds(broken=0.0) if unfair[seed] else Holds(proved.get(seed), broken.get(seed))
        for seed in clean.index.tolist()
    }


def _story(before: Any, after: Any, schema: dict[str, Any], alike: int, holds: Holds) -> Story:
    features = schema["features"]
    values = {f["name"]: (before[f["column"]], after[f["column"]]) for f in features}
    units = {f["name"]: f["unit"] for f in features}
    changed = [name for name, pair in values.items() if _differ(*pair)]
    return Story(
        row=str(before.get("row", before.name)),
        start=str(before["cell"]),
        cell=str(after["cell"]),
        alike=alike,
        who=[(name, in_units(old, units[name])) for name, (old, _) in values.items()],
        changes=[
            (name, *(in_units(value, units[name]) for value in values[name])) for name in changed
        ],
        moved=_moved(features, changed, after["x"] - before["x"]),
        label=in_units(after["label"], ""),
        before=in_units(before["prediction"], ""),
        after=in_units(after["prediction"], ""),
        flips=_someone(after, "flip", features),
        worst=_someone(after, "worst", features),
        dissenting=percent(after["dissenting"]),
        holds=str(holds),
    )


def _moved(features: Sequence[dict[str, Any]], changed: Sequence[str], shifts: Any) -> str:
    hidden = [
        f"{f['name']} {shift:+.2f}"
        for f, shift in zip(features, shifts, strict=True)
        if f["name"] not in changed and abs(shift) >= SHOWN
    ]
    return ", ".join(hidden)


def _someone(row: Any, kind: str, features: list[dict[str, str]]) -> str:
    """Describe a counterpart by its differences, as "age 39 → 62, sex Male → Female: <=50K"."""
    decision = row[f"{kind}_prediction"]
    if pd.isna(decision):
        return ""
    differs = [
        f"{f['name']} {in_units(row[f['column']], '')} → {in_units(row[f[kind]], f['unit'])}"
        for f in features
        if kind in f and _differ(row[f[kind]], row[f["column"]])
    ]
    return f"{', '.join(differs) or 'the person as they are'}: {in_units(decision, '')}"


def _differ(one: Any, other: Any) -> bool:
    """Tell whether two cells differ; two missing ones do not."""
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) != pd.isna(other))
    return bool(one != other)
