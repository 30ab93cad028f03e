"""Tells the bulk of a column's numbers from codes for missing values and from outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from rafair.schema.cells import as_numbers

if TYPE_CHECKING:
    import pandas as pd

    from rafair.schema.feature import Feature

__all__ = ["Bulk", "bulk_of", "told_of_bulk"]

Floats: TypeAlias = npt.NDArray[np.float64]

# Values beyond a gap are apart from the bulk if they are at most this share of the rows.
RARE = 0.1
# A code or outlier is at least this many widths of the bulk away from it.
FAR = 1.0
# Fewer rows do not tell a bulk from the rest.
ENOUGH_ROWS = 20
# Number of values that a sentence shows.
SHOWN = 3


@dataclass(frozen=True)
class Bulk:
    """The range of most of a column's numbers, and the numbers that lie far away from it.

    Attributes
    ----------
    low, high : float
        In original units.
    apart : tuple of float
        The different numbers outside, in increasing order.
    rows : int
        The number of rows that hold one of them.
    """

    low: float
    high: float
    apart: tuple[float, ...]
    rows: int

    @property
    def is_code(self) -> bool:
        """Whether one number that several rows share is apart: a code, perhaps for *unknown*."""
        return len(self.apart) == 1 and self.rows > 1


def bulk_of(numbers: Floats) -> Bulk | None:
    """Return the bulk of some numbers if a few others lie further away than the bulk is wide.

    Parameters
    ----------
    numbers : array of float64, shape (n,)
        Finite.

    Returns
    -------
    Bulk or None
        None if no number is apart from the others.
    """
    if len(numbers) < ENOUGH_ROWS:
        return None
    values, counts = np.unique(numbers, return_counts=True)
    first, last = 0, len(values)
    while (cut := _tail(values[first:last], counts[first:last], len(numbers))) is not None:
        first, last = first + cut[0], first + cut[1]
    if (first, last) == (0, len(values)):
        return None
    apart = np.r_[values[:first], values[last:]]
    rows = int(counts[:first].sum() + counts[last:].sum())
    if rows > RARE * len(numbers):
        return None
    return Bulk(float(values[first]), float(values[last - 1]), tuple(apart.tolist()), rows)


def _tail(values: Floats, counts: npt.NDArray[np.int64], total: int) -> tuple[int, int] | None:
    """Return (first, last) of the values without the tail beyond the widest gap, if it is far."""
    if len(values) < 3:
        return None
    gaps = np.diff(values)
    cut = int(gaps.argmax()) + 1
    below, above = int(counts[:cut].sum()), int(counts[cut:].sum())
    first, last = (0, cut) if above <= below else (cut, len(values))
    width = values[last - 1] - values[first]
    is_far = width > 0 and gaps[cut - 1] >= FAR * width and min(below, above) <= RARE * total
    return (first, last) if is_far else None


def told_of_bulk(feature: Feature, values: pd.Series) -> str | None:
    """Return what a person should know about numbers far away from the others, in one sentence.

    Parameters
    ----------
    feature : Feature
    values : Series
        Its column, without empty cells.
    """
    if feature.has_levels:
        return None
    numbers = as_numbers(values)
    found = bulk_of(numbers)
    if found is None:
        return None
    shown = ", ".join(f"{number:.10g}" for number in found.apart[:SHOWN])
    more = f" and {len(found.apart) - SHOWN} more" if len(found.apart) > SHOWN else ""
    code = f"a code for a missing value? Then empty = [{shown}], and a rule for empty cells."
    what = code if found.is_code else "outliers?"
    return (
        f"{feature.name}: {shown}{more} in {found.rows} of {len(numbers)} rows, while the others "
        f"run from {found.low:.10g} to {found.high:.10g}: {what} {_consequence(feature)}"
    )


def _consequence(feature: Feature) -> str:
    if feature.sensitive:
        return "I(v) takes them too."
    low, high = feature.bulk or (feature.domain[0], feature.domain[1])
    return f"ε is a share of {low:.10g} to {high:.10g} (bulk)."
