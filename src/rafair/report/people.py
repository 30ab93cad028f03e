"""The worst instances, told in words: the person, the changes, a counterpart, the decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.report.words import strongest_attack
from rafair.schema.gaps import LEVEL as MISSING_CELL

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["Story", "worst_stories"]


@dataclass(frozen=True)
class Story:
    """One broken instance in words.

    Attributes
    ----------
    row : str
        The row of the test split, as the user's table calls it.
    cell : str
        TB, FF or FB, after the attack.
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
    """

    row: str
    cell: str
    who: list[tuple[str, str]]
    changes: list[tuple[str, str, str]]
    moved: str
    label: str
    before: str
    after: str
    flips: str
    worst: str
    dissenting: str


def worst_stories(run: AuditResult, n: int = 10) -> list[Story]:
    """Return up to n broken instances of the strongest attack, the worst ones first.

    Instances that the attack broke come before those that were already broken. Within both groups
    the largest loss of a counterpart comes first.
    """
    name = strongest_attack(run.metrics)
    clean = run.instances[run.instances["stage"] == "clean"].set_index("seed")
    rows = run.instances[
        (run.instances["stage"] == "attacked") & (run.instances["attack"] == name)
    ].set_index("seed")
    broken = rows[rows["cell"] != "TF"].copy()
    broken["was_fine"] = clean.loc[broken.index, "cell"] == "TF"
    broken = broken.sort_values(["was_fine", "worst_loss"], ascending=False, kind="stable")
    return [
        _story(seed, clean.xs(seed), broken.xs(seed), run.manifest["schema"])
        for seed in broken.index[:n].tolist()
    ]


def _story(seed: int, before: Any, after: Any, schema: dict[str, Any]) -> Story:
    features = schema["features"]
    values = {f["name"]: (before[f["column"]], after[f["column"]]) for f in features}
    units = {f["name"]: f["unit"] for f in features}
    changed = [name for name, pair in values.items() if _differ(*pair)]
    hidden = [
        f"{f['name']} {shift:+.2f}"
        for f, shift in zip(features, after["x"] - before["x"], strict=True)
        if f["name"] not in changed and abs(shift) >= 0.005
    ]
    return Story(
        row=str(before.get("row", seed)),
        cell=str(after["cell"]),
        who=[(name, _shown(old, units[name])) for name, (old, _) in values.items()],
        changes=[
            (name, _shown(values[name][0], units[name]), _shown(values[name][1], units[name]))
            for name in changed
        ],
        moved=", ".join(hidden),
        label=str(after["label"]),
        before=str(before["prediction"]),
        after=str(after["prediction"]),
        flips=_someone(after, "flip", features),
        worst=_someone(after, "worst", features),
        dissenting=f"{after['dissenting']:.0%}",
    )


def _someone(row: Any, kind: str, features: list[dict[str, str]]) -> str:
    """Describe a counterpart by its differences, as "age 39 → 62, sex Male → Female: <=50K"."""
    decision = row[f"{kind}_prediction"]
    if pd.isna(decision):
        return ""
    differs = [
        f"{f['name']} {_shown(row[f['column']], '')} → {_shown(row[f[kind]], f['unit'])}"
        for f in features
        if kind in f and _differ(row[f[kind]], row[f["column"]])
    ]
    return f"{', '.join(differs) or 'the person as they are'}: {decision}"


def _differ(one: Any, other: Any) -> bool:
    """Tell whether two cells differ; two missing ones do not."""
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) != pd.isna(other))
    return bool(one != other)


def _shown(value: Any, unit: str) -> str:
    if pd.isna(value):
        return MISSING_CELL
    text = str(value)
    if isinstance(value, int | float | np.integer) and not isinstance(value, bool):
        number = float(value)
        text = f"{number:,.9g}" if abs(number) >= 10_000 else f"{number:.6g}"
    return f"{text} {unit}".rstrip()
