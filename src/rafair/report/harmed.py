"""Who is harmed: the groups of each sensitive attribute and of pairs, as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.analysis import SMALL, Group, groups_of, people_of
from rafair.display import Table
from rafair.report.bars import Bar, clean_bar, robust_bar
from rafair.report.words import has_curve, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from rafair.runs import AuditResult

__all__ = ["GroupTable", "Harmed", "harmed"]

# Rows of a pair's table; the groups left out are the smallest.
LONGEST = 60


@dataclass(frozen=True)
class GroupTable:
    """The groups of one attribute or of a pair.

    Attributes
    ----------
    title : str
    rows : list of (Group, dict of str to Bar)
        A group, and its shares: ``otherwise``, ``gain``, ``lose``, ``r_af``.
    left_out : int
        Smaller groups that are not shown.
    """

    title: str
    rows: list[tuple[Group, dict[str, Bar]]]
    left_out: int


@dataclass(frozen=True)
class Harmed:
    """The section.

    Attributes
    ----------
    favourable : str
        The favourable class.
    is_named : bool
        Whether the plan names it, rather than the positive class standing in.
    sentence : str
    alone, pairs : list of GroupTable
    curves : list of Table
        R-AF against ε by group, for each attribute; empty without a curve.
    small : int
        Groups of fewer people are marked.
    """

    favourable: str
    is_named: bool
    sentence: str
    alone: list[GroupTable]
    pairs: list[GroupTable]
    curves: list[Table]
    small: int = SMALL


def harmed(run: AuditResult) -> Harmed:
    """Return the groups of a run's people; see ``Group`` for the formulas."""
    schema, epsilon = run.manifest["schema"], run.manifest["plan"]["epsilon"]
    people = people_of(run.instances, run.certificates, schema, epsilon)
    tables = list(groups_of(people, schema["sensitive"]))
    alone = [groups for groups in tables if len(groups[0].attributes) == 1]
    pairs = [groups for groups in tables if len(groups[0].attributes) == 2]
    favourable = str(schema.get("favourable", schema["classes"][-1]))
    return Harmed(
        favourable,
        "favourable" in schema,
        _sentence([group for groups in alone for group in groups], favourable),
        [_table(groups) for groups in alone],
        [_table(groups) for groups in pairs],
        list(_curves(run, people)),
    )


def _table(groups: list[Group]) -> GroupTable:
    ordered = groups
    if len(groups) > LONGEST:
        ordered = sorted(groups, key=lambda group: -group.n)[:LONGEST]
    rows = [
        (
            group,
            {key: clean_bar(group.clean, key) for key in ("otherwise", "gain", "lose")}
            | {"r_af": robust_bar(group.r_af)},
        )
        for group in ordered
    ]
    return GroupTable(" × ".join(groups[0].attributes), rows, len(groups) - len(ordered))


def _sentence(groups: list[Group], favourable: str) -> str:
    """Name the group of enough people that is decided otherwise most often, and who would gain."""
    counted = [group for group in groups if not group.is_small]
    if not counted:
        return f"Every group has fewer than {SMALL} people: their intervals say more than the bars."
    most = max(counted, key=lambda group: group.clean["otherwise"])
    if most.clean["otherwise"] == 0:
        return f"In no group of {SMALL} people or more does anybody's decision depend on who it is."
    found = [f"Most often decided otherwise than a counterpart: {_told(most, 'otherwise')}."]
    gains = max(counted, key=lambda group: group.clean["gain"])
    if gains.clean["gain"] > 0:
        found.append(
            f"Who most often would get {favourable} if they were somebody else: "
            f"{_told(gains, 'gain')}."
        )
    return " ".join(found)


def _told(group: Group, key: str) -> str:
    low, high = group.clean["ci"][key]
    return (
        f"{group.attributes[0]} = {group.levels[0]}, {percent(group.clean[key])} of {group.n} "
        f"people (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    )


def _curves(run: AuditResult, people: pd.DataFrame) -> Iterator[Table]:
    """Return R-AF against ε by group, one table for each attribute."""
    if run.certificates is None or not has_curve(run):
        return
    rows = run.certificates
    rows = rows[rows["varied"].isna() & (rows["claim"] == "accurate_fair")]
    statuses = rows.pivot_table("status", "seed", "epsilon", aggfunc="first").reindex(people.index)
    heads = ("", "people", *(f"ε = {epsilon:g}" for epsilon in statuses.columns))
    for place, name in enumerate(run.manifest["schema"]["sensitive"]):
        parts = people.groupby(place, observed=True, sort=True)
        body = [(str(level), *_curve(statuses.loc[part.index])) for level, part in parts]
        yield Table(name, heads, body)


def _curve(statuses: pd.DataFrame) -> tuple[str, ...]:
    proved = np.asarray(statuses == "proved").mean(axis=0).tolist()
    unbroken = np.asarray(statuses != "broken").mean(axis=0).tolist()
    shares = (_between(*ends) for ends in zip(proved, unbroken, strict=True))
    return (str(len(statuses)), *shares)


def _between(low: Any, high: Any) -> str:
    shown = f"{high:.3f}"
    return shown if f"{low:.3f}" == shown else f"{low:.3f} to {shown}"
