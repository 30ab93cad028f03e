"""Finds the rows of a table that a model cannot read, such as those with a level new to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from rafair.datasets.dataset import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.datasets.dataset import Dataset
    from rafair.schema import Feature

__all__ = ["Reads", "told_of_unread", "unread_rows", "without_unread"]

# From the numbers of some rows to the reason why a model cannot read them; None if it can.
Reads: TypeAlias = "Callable[[Sequence[int]], str | None]"
# Rows that are asked alone before any others: if the model reads none of them, it reads no such
# table, and no row is to blame.
SAMPLE = 8
# At most this share of the rows may be unreadable for single rows to be to blame.
MOST = 0.5
# Rows that a note names.
NAMED = 3


def unread_rows(n: int, reads: Reads) -> dict[int, str]:
    """Return the rows that a model cannot read, with the reason of each.

    Parameters
    ----------
    n : int
        Number of rows.
    reads : callable
        See ``Reads``. It is asked about all rows, then about halves of those that it cannot read.

    Returns
    -------
    dict of int to str
        Empty if the model reads all rows, or hardly any: then the table as a whole does not fit.
    """
    if reads(range(n)) is None:
        return {}
    sample = range(0, n, max(1, n // SAMPLE))
    if all(reads([row]) is not None for row in sample):
        return {}
    unread: dict[int, str] = {}
    left: list[Sequence[int]] = [range(n)]
    while left and len(unread) <= MOST * n:
        rows = left.pop()
        reason = reads(rows)
        if reason is not None and len(rows) > 1:
            left += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
        elif reason is not None:
            unread[rows[0]] = reason
    return unread if len(unread) <= MOST * n else {}


def without_unread(data: Dataset, reads: Callable[[Any], str | None]) -> Dataset:
    """Leave out the test rows that a model cannot read, and the levels that only they have.

    Parameters
    ----------
    data : Dataset
    reads : callable
        Takes rows of ``data.test.frame``, without the label, and returns why the model cannot read
        them; None if it can.

    Returns
    -------
    Dataset
        The same one if no single row is to blame. ``notes`` names the rows that are left out.
    """
    people = data.test.frame[list(data.schema.columns)]
    whole = np.flatnonzero(people.notna().all(axis=1))
    found = unread_rows(len(whole), lambda rows: reads(people.iloc[whole[list(rows)]]))
    unread = {int(whole[row]): reason for row, reason in found.items()}
    if not unread:
        return data
    names = data.test.frame.index if data.test.rows is None else data.test.rows
    left = np.setdiff1d(np.arange(len(people)), list(unread))
    known = pd.concat([data.train.frame, data.test.frame.iloc[left]])
    gone = data.test.frame.iloc[list(unread)]
    features = tuple(_without_levels(f, known, gone) for f in data.schema.features)
    schema = replace(data.schema, features=features)
    rows = None if data.test.rows is None else names[left]
    test = replace(Split.of(data.test.frame.iloc[left], schema), rows=rows)
    notes = (*data.notes, told_of_unread(unread, names))
    train = Split.of(data.train.frame, schema)
    return replace(data, schema=schema, train=train, test=test, notes=notes)


def _without_levels(feature: Feature, known: pd.DataFrame, gone: pd.DataFrame) -> Feature:
    """Take the levels out of a category's domain that occur only in the rows that are gone."""
    if feature.kind != "categorical" or feature.columns:
        return feature
    lost = set(gone[feature.name].dropna()) - set(known[feature.name].dropna())
    return replace(feature, domain=tuple(level for level in feature.domain if level not in lost))


def told_of_unread(unread: Mapping[int, str], names: pd.Index) -> str:
    """Say which rows are left out, by the names of all rows, and why."""
    seen = [f"row {names[row]}: {reason}" for row, reason in list(unread.items())[:NAMED]]
    more = "; …" if len(unread) > NAMED else ""
    return (
        f"{len(unread)} of {len(names)} test rows cannot be read by the model and are left out "
        f"({'; '.join(seen)}{more})."
    )
