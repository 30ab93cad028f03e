"""Finds one-hot groups in a table: columns of 0 and 1 with exactly one 1 in every row."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["Groups", "one_hot_groups"]

Truths: TypeAlias = npt.NDArray[np.bool_]

# In a table with fewer rows, 0/1 columns may look like a one-hot group by chance.
ENOUGH_ROWS = 10
# Columns that begin differently are a group only if each has at least this many ones: rarer ones
# may fill the gaps of another column by chance.
ENOUGH_ONES = 5
# Number of columns tried before a search for groups is given up.
BUDGET = 10_000
# Number of columns whose names a group's name joins.
JOINED = 4
SEPARATOR = re.compile(r"[_=. ]")


@dataclass(frozen=True)
class Groups:
    """One-hot groups of a table.

    Attributes
    ----------
    sure : dict of str to tuple of str
        Name of the group → its columns, at least two.
    doubts : tuple of str
        Groups that are possible, but not the only reading; one sentence each.
    """

    sure: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def one_hot_groups(frame: pd.DataFrame, taken: Collection[str] = ()) -> Groups:
    """Find groups of 0/1 columns that have exactly one 1 in each row.

    Columns whose names begin alike come first; then the values alone decide.

    Parameters
    ----------
    frame : DataFrame
    taken : collection of str
        Names that no group may have, beside those of the columns.
    """
    if len(frame) < ENOUGH_ROWS:
        return Groups()
    taken = {*frame.columns, *taken}
    binary = [name for name in frame.columns if _is_binary(frame[name])]
    named = _begun_alike(frame, binary, taken)
    used = {name for members in named.values() for name in members}
    rest = [name for name in binary if name not in used and frame[name].nunique() == 2]
    valued, doubts = _by_values(frame, rest, {*taken, *named})
    return Groups({**named, **valued}, tuple(doubts))


def _is_binary(values: pd.Series) -> bool:
    if values.isna().any() or not pd.api.types.is_numeric_dtype(values):
        return False
    return set(values.unique().tolist()) <= {0, 1}


def _begun_alike(
    frame: pd.DataFrame, binary: Sequence[str], taken: Collection[str]
) -> dict[str, tuple[str, ...]]:
    used: set[str] = set()
    groups: dict[str, tuple[str, ...]] = {}
    beginnings = {start: None for name in binary for start in _beginnings(name)}
    for start in sorted(beginnings, key=len):
        members = [name for name in binary if start in _beginnings(name) and name not in used]
        hot = frame[members].astype(np.int64).sum(axis=1) if len(members) > 1 else None
        if hot is not None and (hot == 1).all() and start not in taken:
            groups[start] = tuple(members)
            used.update(members)
    return groups


def _beginnings(name: str) -> Iterator[str]:
    return (name[: match.start()] for match in SEPARATOR.finditer(name) if match.start())


def _by_values(
    frame: pd.DataFrame, names: Sequence[str], taken: Collection[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the groups that the values leave no doubt about, and a sentence for each other one."""
    if len(names) < 2:
        return {}, []
    hot = frame[list(names)].to_numpy(dtype=np.float64) == 1
    covers = _covers(np.unique(hot, axis=0))
    groups: dict[str, tuple[str, ...]] = {}
    doubts = []
    for cover in covers:
        members = tuple(names[place] for place in sorted(cover))
        others = {place for other in covers if other is not cover for place in other}
        name = _joined(members)
        if others & set(cover):
            doubts.append(_question(members, "but another group is possible too"))
        elif hot[:, cover].sum(axis=0).min() < ENOUGH_ONES:
            doubts.append(_question(members, f"but one has fewer than {ENOUGH_ONES} ones"))
        elif clash := sorted({name, *_shared(members)} & {*taken}):
            doubts.append(_question(members, f"but their common name {clash[0]} is taken"))
        else:
            groups[name] = members
    return groups, doubts


def _shared(members: Sequence[str]) -> set[str]:
    """Return the beginnings that all of these names have."""
    return set.intersection(*(set(_beginnings(name)) for name in members))


def _joined(members: Sequence[str]) -> str:
    shown = "_".join(members[:JOINED])
    return shown if len(members) <= JOINED else f"{shown}_and_{len(members) - JOINED}_more"


def _question(members: Sequence[str], why: str) -> str:
    return (
        f"{members[0]}: exactly one of {', '.join(members)} is 1 in every row, {why}; if they are "
        f"one feature, describe it with columns = {list(members)}."
    )


def _covers(hot: Truths) -> list[list[int]]:
    """Return all sets of columns with exactly one 1 in every row; none if there are too many.

    Exact cover by backtracking (Knuth's Algorithm X): some column of a group has the 1 of the row
    that has the fewest columns left.
    """
    apart = hot.T.astype(np.float64) @ hot.astype(np.float64) == 0
    found: list[list[int]] = []
    open_: list[tuple[list[int], Truths]] = [([], np.ones(hot.shape[1], dtype=np.bool_))]
    for _ in range(BUDGET):
        if not open_:
            return found
        chosen, free = open_.pop()
        bare = ~hot[:, chosen].any(axis=1)
        if not bare.any():
            found.append(chosen)
            continue
        left = hot[bare][:, free].sum(axis=1)
        row = np.flatnonzero(bare)[left.argmin()]
        ways = np.flatnonzero(free & hot[row]).tolist()
        open_ += [([*chosen, column], free & apart[column]) for column in ways]
    return []
