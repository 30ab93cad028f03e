"""Columns with which a score must not fall, or must not rise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.checks import check_one_of
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.schema import Schema

__all__ = ["DIRECTIONS", "directions_of"]

DIRECTIONS = {"increasing": 1, "decreasing": -1}


def directions_of(schema: Schema, monotone: Mapping[str, str]) -> dict[int, int]:
    """Return a direction for each column that is to be monotone, by its place.

    Parameters
    ----------
    schema : Schema
    monotone : mapping of str to {"increasing", "decreasing"}
        Column → how the score of the second class may change when the column rises.

    Raises
    ------
    InvalidInput
        If there is no such column, it has no order, or the word is another.
    """
    found = {}
    for name, word in monotone.items():
        if name not in schema.names:
            known = ", ".join(schema.names)
            raise InvalidInput(f"monotone: no column {name!r}; the columns are {known}")
        if schema.features[schema.index(name)].kind == "categorical":
            raise InvalidInput(
                f"monotone: the categories of column {name!r} have no order; make it ordinal, or "
                "leave it out"
            )
        check_one_of(f"monotone {name!r}", word, tuple(DIRECTIONS))
        found[schema.index(name)] = DIRECTIONS[word]
    return found
