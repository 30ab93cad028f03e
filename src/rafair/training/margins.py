"""The least margins of people under a sum of stumps, at v and over I(v) × Δ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rafair.kernels.stumps import least_values, stump_gains

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from rafair.training.task import Task

__all__ = ["Margins", "cuts_of"]

# Cuts of a feature; where it has more values, at their quantiles.
MOST_CUTS = 64


def cuts_of(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where a feature may be cut: between neighbouring values, or at some quantiles."""
    known = np.unique(column)
    between: npt.NDArray[np.float64] = (known[1:] + known[:-1]) / 2
    if len(between) <= MOST_CUTS:
        return between
    shares = np.linspace(0, 1, MOST_CUTS + 2)[1:-1]
    near = np.searchsorted(between, np.quantile(column, shares)).clip(max=len(between) - 1)
    chosen: npt.NDArray[np.float64] = between[np.unique(near)]
    return chosen


class Margins:
    """Margins y · (base + Σ value of the piece of each feature), with y = 1 or −1.

    The worst case is exact over the box around I(v) × Δ, because each feature is summed alone; and
    over I(v) × Δ itself where that is a box.

    Parameters
    ----------
    task : Task
        n people of two classes.
    cuts : sequence of arrays
        The ends of the pieces of each feature, ascending.
    values : sequence of arrays
        What each piece of a feature adds; one more than there are cuts.

    Attributes
    ----------
    side : array, shape (n,)
        y.
    intervals : pair of pairs of arrays of int32, shape (d, n)
        The first and last piece of each feature: where each person is, and may be.
    """

    def __init__(
        self,
        task: Task,
        cuts: Sequence[npt.NDArray[np.float64]],
        values: Sequence[npt.NDArray[np.float64]],
    ) -> None:
        self.side = task.y.numpy() * 2.0 - 1.0
        own, low, high = (_pieces(part, cuts) for part in (task.x, task.low, task.high))
        self.intervals = ((own, own), (low, high))
        self._least = tuple(np.zeros(own.shape) for _ in self.intervals)
        for place, numbers in enumerate(values):
            self.renew(place, numbers)

    def renew(self, place: int, values: npt.NDArray[np.float64]) -> None:
        """Take up that the values of a feature have changed."""
        for (first, last), least in zip(self.intervals, self._least, strict=True):
            least_values(first[place], last[place], self.side, values, least[place])

    def both(self, base: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the margins at v, and the least ones over the box around I(v) × Δ, each (n,)."""
        at_v, worst = (rows.sum(axis=0) + self.side * base for rows in self._least)
        return at_v, worst

    def gains(
        self,
        place: int,
        values: npt.NDArray[np.float64],
        slopes: Sequence[npt.NDArray[np.float64]],
        step: float,
    ) -> npt.NDArray[np.float64]:
        """Return Σ slope · change of the margin if ``step`` were added from each piece on.

        Parameters
        ----------
        slopes : pair of arrays, shape (n,)
            Of the margin at v, and of the least one.
        """
        gain = np.zeros(len(values))
        for (first, last), least, slope in zip(self.intervals, self._least, slopes, strict=True):
            rows = (first[place], last[place], self.side, values, least[place])
            stump_gains(*rows, slope, step, gain)
        return gain


def _pieces(x: Tensor, cuts: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.int32]:
    columns = x.double().numpy().T
    found = [
        np.searchsorted(own, row, side="right") for own, row in zip(cuts, columns, strict=True)
    ]
    return np.stack(found).astype(np.int32)
