"""Finds the rows of a table that a model cannot read, such as those with a level new to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

__all__ = ["Reads", "told_of_unread", "unread_rows"]

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


def told_of_unread(unread: Mapping[int, str], names: pd.Index) -> str:
    """Say which rows are left out, by the names of all rows, and why."""
    seen = [f"row {names[row]}: {reason}" for row, reason in list(unread.items())[:NAMED]]
    more = "; …" if len(unread) > NAMED else ""
    return (
        f"{len(unread)} of {len(names)} test rows cannot be read by the model and are left out "
        f"({'; '.join(seen)}{more})."
    )
