"""The people of a run as data: for the table of the page, and for the script that searches it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.analysis import group_levels
from rafair.report.people import Holds, holding, row_names, stage_rows
from rafair.report.words import percent, strongest_attack
from rafair.schema.cells import in_units

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    from rafair.runs import AuditResult

__all__ = ["People", "people_shown"]

# People on a page; of more, evenly spaced ones are shown.
MOST = 1_000


@dataclass(frozen=True)
class People:
    """The people that a page shows.

    Attributes
    ----------
    data : dict
        JSON for the script. ``values``: all different values; elsewhere stand their places in it.
        ``people``: for each its row, label, groups, values, ``Holds``, and one instance a stage.
    rows : list of tuple of str
        The table without a script: row, sensitive values, truth, decision and cell before, and
        under the strongest attack, dissent, change, and how near the boundary.
    heads : tuple of str
    total : int
        Audited people.
    """

    data: dict[str, Any]
    rows: list[tuple[str, ...]]
    heads: tuple[str, ...]
    total: int


class _Values:
    """Different values, each kept once."""

    def __init__(self) -> None:
        self.places: dict[Hashable, int] = {}
        self.values: list[Any] = []

    def place(self, value: Any) -> int:
        plain = _plain(value)
        key = (type(plain), plain)
        if key not in self.places:
            self.places[key] = len(self.values)
            self.values.append(plain)
        return self.places[key]


def _plain(value: Any) -> Any:
    """Return a value of JSON: a number, a text, or None for an empty cell."""
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return int(value) if float(value).is_integer() else value


def people_shown(run: AuditResult) -> People:
    """Return the people of a run; of more than 1,000, evenly spaced ones."""
    clean = stage_rows(run, "clean")
    step = np.linspace(0, len(clean) - 1, min(MOST, len(clean))).astype(int)
    known, features = holding(run), run.manifest["schema"]["features"]
    values, chosen = _Values(), clean.iloc[step]
    groups = group_levels(clean, run.manifest["schema"]).iloc[step]
    stages = _stages(run, chosen.index)
    columns = [map(values.place, chosen[f["column"]].tolist()) for f in features]
    people = [
        [row, label, codes, list(own), [known[seed].proved, known[seed].broken], list(found)]
        for seed, row, label, codes, own, found in zip(
            chosen.index.tolist(),
            row_names(chosen),
            map(values.place, chosen["label"].tolist()),
            _codes(groups).tolist(),
            zip(*columns, strict=True),
            zip(*(_instances(rows, chosen, features, values) for *_, rows in stages), strict=True),
            strict=True,
        )
    ]
    name = strongest_attack(run.metrics)
    data = {
        "dataset": run.metrics["dataset"],
        "features": [
            {"name": f["name"], "unit": f["unit"], "sensitive": "flip" in f} for f in features
        ],
        "attributes": [
            {"name": name, "levels": [str(level) for level in groups[place].cat.categories]}
            for place, name in enumerate(run.manifest["schema"]["sensitive"])
        ],
        "stages": [{"stage": stage, "attack": attack} for stage, attack, _ in stages],
        "shown": 1 + list(run.metrics["attacks"]).index(name),
        "values": values.values,
        "people": people,
    }
    heads = (
        "row", ", ".join(run.manifest["schema"]["sensitive"]), "truth", "decision", "cell",
        f"decision under {name}", f"cell under {name}", "others decided otherwise", "change",
        "R-AF",
    )  # fmt: skip
    rows = _rows(run, chosen, stage_rows(run, "attacked", name).loc[chosen.index], known)
    return People(data, rows, heads, len(clean))


def _codes(groups: pd.DataFrame) -> Any:
    return np.stack([groups[place].cat.codes.to_numpy() for place in groups.columns], axis=1)


def _stages(run: AuditResult, seeds: pd.Index) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the clean instances, those of every attack, and those of every repair."""
    found = [("clean", "", stage_rows(run, "clean").loc[seeds])]
    for stage, names in (("attacked", "attacks"), ("repaired", "repairs")):
        found += [
            (stage, name, stage_rows(run, stage, name).loc[seeds]) for name in run.metrics[names]
        ]
    return found


def _instances(
    rows: pd.DataFrame, clean: pd.DataFrame, features: list[dict[str, Any]], values: _Values
) -> list[list[Any]]:
    """Return for each person decision, cell, dissent, change, changed values, and counterparts."""
    changed = _differences([(clean[f["column"]], rows[f["column"]]) for f in features], values)
    return [
        [values.place(decision), cell, round(share, 4), round(move, 4), *others]
        for decision, cell, share, move, *others in zip(
            rows["prediction"].tolist(),
            rows["cell"].tolist(),
            rows["dissenting"].tolist(),
            _moves(rows, clean).tolist(),
            changed,
            _counterparts(rows, "flip", features, values),
            _counterparts(rows, "worst", features, values),
            strict=True,
        )
    ]


def _moves(rows: pd.DataFrame, clean: pd.DataFrame) -> Any:
    """Return the largest change of a feature, as a share of its range, shape (n,)."""
    return np.abs(np.stack(rows["x"].tolist()) - np.stack(clean["x"].tolist())).max(axis=1)


def _counterparts(
    rows: pd.DataFrame, kind: str, features: list[dict[str, Any]], values: _Values
) -> list[list[Any] | None]:
    """Return decision and differing values of a counterpart each; None where there is none."""
    pairs = [(rows[f["column"]], rows[f[kind]]) if kind in f else None for f in features]
    others = _differences(pairs, values)
    decided = rows[f"{kind}_prediction"]
    return [
        [values.place(decision), changes] if known else None
        for decision, changes, known in zip(
            decided.tolist(), others, decided.notna().tolist(), strict=True
        )
    ]


def _differences(
    pairs: list[tuple[pd.Series, pd.Series] | None], values: _Values
) -> list[list[list[int]]]:
    """Return for each person the features that differ, as place and new value.

    Parameters
    ----------
    pairs : list of (Series, Series), or None
        For each feature its values before and after; None for one that cannot differ.
    """
    found: list[list[list[int]]] = [[] for _ in next(filter(None, pairs))[0]]
    for place, pair in enumerate(pairs):
        if pair is not None:
            after = pair[1].tolist()
            for at in np.flatnonzero(_differ(*pair)).tolist():
                found[at].append([place, values.place(after[at])])
    return found


def _differ(one: pd.Series, other: pd.Series) -> npt.NDArray[np.bool_]:
    """Tell where two columns differ; two empty cells do not."""
    left, right = one.to_numpy(dtype=object), other.to_numpy(dtype=object)
    empty = [pd.isna(column).astype(bool) for column in (left, right)]
    differs: npt.NDArray[np.bool_] = np.where(
        empty[0] | empty[1], empty[0] != empty[1], left != right
    ).astype(bool)
    return differs


def _rows(
    run: AuditResult, clean: pd.DataFrame, attacked: pd.DataFrame, known: dict[int, Holds]
) -> list[tuple[str, ...]]:
    sensitive = [f for f in run.manifest["schema"]["features"] if "flip" in f]
    who = [clean[f["column"]].map(partial(in_units, unit=f["unit"])) for f in sensitive]
    return [
        (row, " · ".join(levels), *map(str, texts), percent(share), f"{move:.3f}", str(known[seed]))
        for seed, row, levels, texts, share, move in zip(
            clean.index.tolist(),
            row_names(clean),
            zip(*who, strict=True),
            zip(
                *(clean[key] for key in ("label", "prediction", "cell")),
                *(attacked[key] for key in ("prediction", "cell")),
                strict=True,
            ),
            attacked["dissenting"].tolist(),
            _moves(attacked, clean).tolist(),
            strict=True,
        )
    ]
