"""Finds numbers that are computed from another column: squares, logarithms, other units."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from rafair.schema import Schema

__all__ = ["derivations"]

Floats: TypeAlias = npt.NDArray[np.float64]

# With fewer different values, two columns may rise together by chance.
ENOUGH_VALUES = 10
# Rows of a first look; nearly all pairs of columns are told apart by it.
LOOK = 500


def derivations(schema: Schema, frame: pd.DataFrame) -> Iterator[str]:
    """Name the numbers that rise, or fall, with another number in every row.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame
        Rows in original units; rows where one of the two numbers is missing are passed over.

    Yields
    ------
    str
        One sentence, which begins with the feature's name.
    """
    numbers = [f for f in schema.features if not (f.has_levels or f.sensitive)]
    columns = {f.name: f.read(frame).to_numpy(dtype=np.float64, na_value=np.nan) for f in numbers}
    for first, second in combinations(columns, 2):
        way = _together(columns[first], columns[second])
        if way:
            yield (
                f"{second}: {way} with {first} in every row. If one is computed from the other, a "
                "change of one alone is impossible; ignore one of them, or state a relation."
            )


def _together(left: Floats, right: Floats) -> str | None:
    """Say whether one column rises or falls strictly with the other; None if neither."""
    step = max(1, len(left) // LOOK)
    for rows in (slice(None, None, step), slice(None)):
        both = ~np.isnan(left[rows]) & ~np.isnan(right[rows])
        ranks, others = (_ranks(side[rows][both]) for side in (left, right))
        rises = np.array_equal(ranks, others)
        falls = not rises and np.array_equal(ranks, others.max(initial=0) - others)
        if not (rises or falls):
            return None
    if ranks.max(initial=0) + 1 < ENOUGH_VALUES:
        return None
    return "rises" if rises else "falls"


def _ranks(values: Floats) -> npt.NDArray[np.intp]:
    ranks: npt.NDArray[np.intp] = np.unique(values, return_inverse=True)[1]
    return ranks
