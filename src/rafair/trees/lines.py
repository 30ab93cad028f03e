"""Columns that are added, each times a number: what a linear model is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Lines", "gathered"]


@dataclass(frozen=True, eq=False)
class Lines:
    """Columns that are added to parts, each times a number.

    Attributes
    ----------
    column, owner : array of int32, shape (lines,)
        A column of numbers, and the part that it is added to.
    factor : array of float64, shape (lines,)
    """

    column: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]
    factor: npt.NDArray[np.float64]

    @classmethod
    def of(cls, weights: npt.NDArray[np.float64] | None) -> Lines:
        """Return the lines of one part, of which columns without weight are none."""
        given = np.zeros(0) if weights is None else weights
        column = np.flatnonzero(given).astype(np.int32)
        return cls(column, np.zeros_like(column), given[column])

    def __len__(self) -> int:
        return len(self.column)

    def terms(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what each line adds for rows of columns, shape (n, lines)."""
        found: npt.NDArray[np.float64] = numbers[:, self.column] * self.factor
        return found


def gathered(
    terms: npt.NDArray[np.float64], place: npt.NDArray[np.integer[Any]], n: int
) -> npt.NDArray[np.float64]:
    """Return the sum of the terms, (rows, terms), of each place from 0 to n − 1, (rows, n)."""
    found = np.zeros((n, len(terms)))
    np.add.at(found, place, terms.T)
    return found.T
