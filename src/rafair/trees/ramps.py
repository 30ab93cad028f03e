"""What lines add to parts, feature by feature, from piece to piece."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.models.piecewise import possible_numbers
from rafair.problem.space import SLACK
from rafair.trees.lines import gathered

if TYPE_CHECKING:
    import numpy.typing as npt

    from rafair.kernels.ramps import Ramps
    from rafair.trees.axes import Axis
    from rafair.trees.columns import TreeColumns

__all__ = ["RampTable"]


@dataclass(frozen=True, eq=False)
class RampTable:
    """The lines of one feature and part together, bounded in every piece of the feature.

    The bounds hold what the model's rounding does to the lines.

    Attributes
    ----------
    columns : TreeColumns
    owner, feature : array of int32, shape (ramps,)
    ramp : array of int64, shape (lines,)
        Which ramp each line of the composition belongs to.
    is_spread : array of bool, shape (ramps,)
        Whether a ramp changes within pieces.
    least, most : array of float64, shape (pieces, ramps)
        As many rows as the feature with the most pieces has; a shorter column repeats its last one.
    """

    columns: TreeColumns
    owner: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    ramp: npt.NDArray[np.int64]
    is_spread: npt.NDArray[np.bool_]
    least: npt.NDArray[np.float64]
    most: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        columns: TreeColumns,
        axes: tuple[Axis, ...],
        is_regular: npt.NDArray[np.bool_] | None = None,
    ) -> RampTable:
        """Ask the model's own transformers for every column at both ends of every piece.

        Parameters
        ----------
        is_regular : array of bool, shape (d,), optional
            Of which features only the possible values occur; none by default.
        """
        lines = columns.composition.lines
        feature = np.maximum(columns.feature[lines.column], 0)  # of a constant, any feature's
        pairs = np.stack([lines.owner, feature])
        unique, ramp = np.unique(pairs, axis=1, return_inverse=True)
        owner, felt = (np.ascontiguousarray(row, np.int32) for row in unique)
        bare = cls(columns, owner, felt, ramp.ravel(), felt < 0, np.zeros(0), np.zeros(0))
        regular = np.zeros(len(axes), np.bool_) if is_regular is None else is_regular
        sides = [_ends(axis, regular[place]) for place, axis in enumerate(axes)]
        rows = np.arange(max(map(len, axes)) if len(lines) else 0)
        low, high = (
            np.stack([end[np.minimum(rows, len(end) - 1)] for end in side], axis=1)
            for side in zip(*sides, strict=True)
        )
        least, most = bare.between(low, high)
        is_spread = np.array([_is_spread(axes[at], regular[at]) for at in felt], np.bool_)
        return cls(columns, owner, felt, ramp.ravel(), is_spread, least, most)

    def between(
        self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Bound each ramp between two unit-space numbers of its feature, of a line or equal.

        Parameters
        ----------
        low, high : array, shape (n, d)

        Returns
        -------
        least, most : array, shape (n, ramps)
        """
        if not len(self.ramp):
            return np.zeros((len(low), 0)), np.zeros((len(low), 0))
        composition = self.columns.composition
        one, other = (composition.lines.terms(self.columns.numbers(end)) for end in (low, high))
        rounding = 2 * composition.share * np.maximum(np.abs(one), np.abs(other))
        least = self._by_ramp(np.minimum(one, other) - rounding)
        return least, self._by_ramp(np.maximum(one, other) + rounding)

    def _by_ramp(self, terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return gathered(terms, self.ramp, len(self.owner))

    def at(
        self, pieces: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the bounds of each ramp for rows of pieces, (n, d), each (n, ramps)."""
        places = (pieces[:, self.feature], np.arange(len(self.feature)))
        return self.least[places], self.most[places]

    def hold(self, numbers: npt.NDArray[np.float64], pieces: npt.NDArray[np.int32]) -> bool:
        """Tell whether the ramps of rows of columns lie within the bounds of their pieces."""
        found = self._by_ramp(self.columns.composition.lines.terms(numbers))
        least, most = self.at(pieces)
        return bool(((least <= found) & (found <= most)).all())

    @property
    def heading(self) -> npt.NDArray[np.float64]:
        """Where features that change within pieces raise the score, shape (d,): −1, 0 or 1.

        It is exact for ramps of one part; those of several may pull one feature both ways.
        """
        composition = self.columns.composition
        rise = (self.most[-1:] - self.most[:1]).sum(axis=0) * self.is_spread
        found = np.zeros(len(self.columns.schema.features))
        np.add.at(found, self.feature, rise * composition.directions[self.owner])
        return np.sign(found)

    @property
    def size(self) -> float:
        """Bound the size of what all ramps add."""
        largest = np.maximum(np.abs(self.least), np.abs(self.most)).max(axis=0, initial=0.0)
        return float(largest.sum())

    @cached_property
    def kernel(self) -> Ramps:
        """The ramps as kernels read them."""
        from rafair.kernels.ramps import Ramps

        steps = np.stack([np.diff(part, axis=0) for part in (self.least, self.most)])
        is_monotone = (steps >= 0).all(axis=(0, 1)) | (steps <= 0).all(axis=(0, 1))
        first = np.arange(len(self.owner)) * len(self.least)
        columns = (self.owner, self.feature, first, is_monotone, self.is_spread)
        bounds = np.stack([part.T.ravel() for part in (self.least, self.most)])
        return Ramps(np.stack(columns, axis=1).astype(np.int32), bounds)


def _is_spread(axis: Axis, is_regular: bool) -> bool:
    return axis.numbers is None and not (is_regular and possible_numbers(axis.feature))


def _ends(axis: Axis, is_regular: bool) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ends of pieces, as far as people lie in them or, up to ``SLACK``, beyond."""
    low, high = axis.ends()
    if axis.numbers is not None:
        return low, high
    low, high = np.append(low[0] - SLACK, low[1:]), np.append(high[:-1], high[-1] + SLACK)
    if not _is_spread(axis, is_regular):
        feature = axis.feature
        units = (np.array(possible_numbers(feature)) - feature.low) / (feature.span or 1.0)
        piece = axis.pieces(torch.from_numpy(units))
        low[piece], high[piece] = units, units
        np.minimum.at(low, piece, units - SLACK)
        np.maximum.at(high, piece, units + SLACK)
    return low, high
