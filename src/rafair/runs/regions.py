"""The result of certified regions, as a run directory holds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rafair.display import Table, as_html, as_text, count
from rafair.runs.summary import interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANSWERS", "RegionResult", "regions_table", "witness_table"]

# The answers for a box, and what the table calls them.
ANSWERS = {"fair": "fair everywhere", "unfair": "somebody unfair", "undecided": "undecided"}
# Rows of the table of a witness: the person, what Δ makes of them, the counterpart.
PAIR = ("person", "perturbed", "counterpart")


@dataclass(frozen=True, eq=False)
class RegionResult:
    """Where in a region everybody is treated as their counterparts are, and where somebody is not.

    Attributes
    ----------
    metrics : dict
        ``dataset``, and under ``regions``: the ``region`` or a list of them, ``epsilon``,
        ``setting``, the number of ``boxes`` and of them ``fair``, ``unfair`` and ``undecided``;
        ``domain``, the share of all possible people (sensitive features apart) that the region is;
        ``share``, of the region's possible people, and ``people``, of the data's people in the
        region, with 95 % intervals: the shares that lie in boxes of each answer. ``people`` is
        None without data. With several regions ``domain`` and ``share`` add them up, overlaps
        included; each of the data's people counts once, by a proof if there is one.
    boxes : DataFrame
        One row per box, region by region: ``region``, its place in the list; ``status``, the
        ``reason`` where it is undecided, ``people`` of the data, ``share`` of the region,
        ``nodes`` bounded; in original units ``low_…`` and ``high_…`` of each feature that is not
        sensitive, and of the witness ``person_…``, ``perturbed_…`` (with Δ) and
        ``counterpart_…``, None without.
    manifest : dict
        Versions, hashes of data and model, the schema, the budget, and under ``stopped`` whether
        time ran out.
    """

    metrics: dict[str, Any]
    boxes: pd.DataFrame
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return as_text(self._answer)

    def _repr_html_(self) -> str:
        return as_html(self._answer)

    @property
    def _answer(self) -> Table:
        table = regions_table(self.metrics)
        return replace(table, title=f"RegionResult of {table.title}")


def regions_table(metrics: dict[str, Any]) -> Table:
    """Return how much of the region, and of its people, each answer covers."""
    found = metrics["regions"]
    people = found["people"]
    heads: tuple[str, ...] = ("", "boxes", of_regions(found))
    if people is not None:
        heads = (*heads, f"of {count(people['n'], 'row')}", "95 %")
    rows: list[tuple[str, ...]] = []
    for key, name in ANSWERS.items():
        known = () if people is None else (f"{people[key]:.3f}", interval(people["ci"][key]))
        share = f"{found['share'][key]:.4f}"
        rows.append((name, str(found["boxes"][key]), share, *known))
    where = _where(found["region"])
    around = f", every change up to ε = {found['epsilon']:g}" if found["epsilon"] else ""
    name = "" if metrics["dataset"] is None else f"{metrics['dataset']}: "
    return Table(f"{name}{where}{around}", heads, rows)


def of_regions(found: dict[str, Any]) -> str:
    """Say whose share ``share`` of the metrics is."""
    return "of the region" if isinstance(found["region"], str) else "of the regions"


def _where(region: str | list[str]) -> str:
    if isinstance(region, str):
        return region or "everybody"
    return count(len(region), "region")


def witness_table(boxes: pd.DataFrame) -> Table | None:
    """Return the first witness, feature by feature; None if no box has one."""
    broken = boxes[boxes["status"] == "unfair"]
    if not len(broken):
        return None
    first = broken.iloc[0]
    shown = [kind for kind in PAIR if any(c.startswith(f"{kind}_") for c in boxes.columns)]
    names = [c.removeprefix("person_") for c in boxes.columns if c.startswith("person_")]
    rows = [(name, *(_text(first[f"{kind}_{name}"]) for kind in shown)) for name in names]
    return Table("Decided otherwise than a counterpart", ("", *shown), rows)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
