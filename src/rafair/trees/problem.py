"""Δ and I(v) of people in pieces, and back from boxes of pieces to people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.errors import InvalidInput
from rafair.problem.space import SLACK
from rafair.trees.ramps import RampTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from torch import Tensor

    from rafair.fairness import Lipschitz
    from rafair.kernels.forests import Forest
    from rafair.kernels.parts import Parts
    from rafair.kernels.tree_problem import People
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.schema import Feature
    from rafair.trees.axes import Axis
    from rafair.trees.ensemble import TreeEnsemble

__all__ = ["PiecedProblem"]

# A multiple of a lattice's spacing may be off by this, as a share of the spacing.
ON_LATTICE = 1e-6
# Where, between two corners of a box within which a line changes, the model is asked.
ACROSS = tuple(step / 8 for step in range(9))


@dataclass(frozen=True, eq=False)
class PiecedProblem:
    """n people, their Δ and I(v), and the trees that decide about them.

    Attributes
    ----------
    ensemble : TreeEnsemble
    x : Tensor, shape (n, d), unit space
    counterparts : Counterparts
    space : PerturbationSpace
    """

    ensemble: TreeEnsemble
    x: Tensor
    counterparts: Counterparts
    space: PerturbationSpace

    def check(self, condition: Lipschitz) -> None:
        """Refuse a Δ outside of the unit space in which trees are read, and a d that δ may change.

        Raises
        ------
        InvalidInput
        """
        if not isinstance(condition.d, str):
            raise InvalidInput(
                "certificates need d by name, l1, l2 or linf: a function of v and v' may change "
                "with the features that Δ moves"
            )
        low, high = self.ends
        felt = [place for place, axis in enumerate(self.ensemble.axes) if len(axis) > 1]
        # The last multiple of a lattice's spacing may lie above 1 by its rounding.
        if bool((low[:, felt] < -SLACK).any()) or bool((high[:, felt] > 1 + SLACK).any()):
            raise InvalidInput("certificates of trees need a Δ inside of unit space, [0, 1]")

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The least and the greatest possible value of each feature, each (n, d), float64."""
        return self.space.hull(self.x.to(torch.float64))

    @cached_property
    def _boxes(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        columns = list(self.counterparts.columns)
        low, high = (self.ensemble.pieces(end) for end in self.ends)
        low[:, columns] = 0
        high[:, columns] = [len(self.ensemble.axes[column]) - 1 for column in columns]
        return low, high

    @cached_property
    def own(self) -> npt.NDArray[np.int32]:
        """The pieces of v itself, shape (n, d)."""
        return self.ensemble.pieces(self.x)

    @cached_property
    def grid(self) -> npt.NDArray[np.int32]:
        """The pieces of each combination of sensitive values, shape (m, s)."""
        values = self.counterparts.grid.to(self.x.dtype)
        found = [
            self.ensemble.axes[column].pieces(values[:, place])
            for place, column in enumerate(self.counterparts.columns)
        ]
        return np.stack(found, axis=1)

    @cached_property
    def refined(self) -> npt.NDArray[np.int32]:
        """The features of the relations that a change within Δ may break or meet."""
        movable = self.space.movable(self.x)
        about = torch.zeros_like(movable)
        for conditions in (self.space.conditions, self.counterparts.conditions):
            if conditions is not None:
                spoken = conditions.spoken_of(movable.device)
                about |= spoken[(spoken & movable).any(dim=1)].any(dim=0)
        return about.nonzero()[:, 0].numpy().astype(np.int32)

    def possible(self) -> Tensor:
        """Tell which combinations may be counterparts at some δ, shape (n, m), bool."""
        return self.counterparts.valid(self.x, self.space.movable(self.x))

    @cached_property
    def is_regular(self) -> npt.NDArray[np.bool_]:
        """Of which features only possible values occur, shape (d,)."""
        axes = enumerate(self.ensemble.axes)
        return np.array([self._is_regular(place, axis.feature) for place, axis in axes])

    def _is_regular(self, place: int, feature: Feature) -> bool:
        own, columns = self.x[:, place], self.counterparts.columns
        if place in columns:
            grid = self.counterparts.grid[:, columns.index(place)].to(own.dtype)
            return bool(feature.possible(torch.cat([own, grid])).all())
        spacing = self.space.spacing(self.x.to(torch.float64))[:, place]
        stays = not self.space.movable(self.x)[place]
        is_lattice = stays or bool((spacing == feature.spacing).all())
        return is_lattice and bool(feature.possible(own).all())

    @cached_property
    def ramps(self) -> RampTable:
        """What lines add, with the features in ``is_regular`` at their possible values."""
        ramps, regular = self.ensemble.ramps, self.is_regular
        if self.ensemble.is_pieced or not regular.any():
            return ramps
        return RampTable.of(ramps.columns, self.ensemble.axes, regular)

    @property
    def is_pieced(self) -> bool:
        """Whether the score is the same for everybody in a box of single pieces."""
        return not bool(self.ramps.is_spread.any())

    def forest(self, winner: int, loser: int) -> tuple[Forest, Parts]:
        """Return the margin of one class over another."""
        forest, parts = self.ensemble.forest(winner, loser)
        return forest._replace(ramps=self.ramps.kernel), parts

    def people(self, rows: Tensor, others: Tensor, *, themselves: bool, refined: bool) -> People:
        """Return the boxes of some people.

        Parameters
        ----------
        rows : Tensor of int64, shape (b,)
        others : Tensor of bool, shape (b, m)
            Which combinations are searched.
        themselves : bool
            Whether v's own values are searched, too.
        refined : bool
            Whether a box that is found has one piece of each feature in ``refined``.
        """
        from rafair.kernels.tree_problem import People

        low, high = self._boxes
        index, columns = rows.numpy(), np.array(self.counterparts.columns, np.int32)
        is_sensitive = np.zeros(low.shape[1], np.int32)
        is_sensitive[columns] = 1
        own = np.full((len(rows), 1), themselves)
        exists = np.concatenate([others.numpy(), own], axis=1)
        low, high, mine, reach = (part[index] for part in (low, high, self.own, self._reach))
        single = self.refined if refined else self.refined[:0]
        return People(low, high, mine, columns, is_sensitive, self.grid, exists, single, reach)

    @cached_property
    def _reach(self) -> npt.NDArray[np.float64]:
        """Bounds of each ramp within Δ, (n, 2, ramps); infinite where pieces say all."""
        ramps, (low, high) = self.ramps, self.ends
        ends = np.stack(ramps.between(low.numpy() - SLACK, high.numpy() + SLACK), axis=1)
        inner = ramps.is_spread & ~np.isin(ramps.feature, self.counterparts.columns)
        return np.ascontiguousarray(np.where(inner, ends, [[-np.inf], [np.inf]]))

    def perturbed(
        self,
        rows: Tensor,
        low: npt.NDArray[np.int32],
        high: npt.NDArray[np.int32],
        heading: npt.NDArray[np.float64] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return, of each box, the v + δ nearest to v, and whether it lies in the box.

        Parameters
        ----------
        rows : Tensor of int64, shape (b,)
        low, high : array, shape (b, d)
            Boxes of pieces.
        heading : array, shape (d,), optional
            Go to the least number of a feature in the box, −1, or to the greatest, 1.

        Returns
        -------
        Tensor, shape (b, d), in x's type; Tensor of bool, shape (b,)
        """
        origin, own = self.x[rows], self.own[rows.numpy()]
        side = np.sign(low - own).clip(0) - np.sign(own - high).clip(0)
        if heading is not None:
            side = np.where(heading, -heading, side).astype(np.int32)
        point, movable = origin.to(torch.float64), self.space.movable(origin)
        spacing = self.space.spacing(origin.to(torch.float64))
        for place in movable.nonzero()[:, 0].tolist():
            axis, box = self.ensemble.axes[place], (low[:, place], high[:, place])
            ends = (self.ends[0][rows, place], self.ends[1][rows, place])
            here = origin[:, place]
            point[:, place] = _value(axis, box, side[:, place], here, ends, spacing[:, place])
        found = self.space.project(point.to(origin.dtype), origin)
        return found, self._inside(found, rows, low, high)

    def across(
        self, rows: Tensor, low: npt.NDArray[np.int32], high: npt.NDArray[np.int32], winner: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield points of each box, from the end that favours a class to the one that does not.

        Exact for lines of one part; those of several may pull a feature both ways. See
        ``perturbed``.
        """
        heading = self.ramps.heading * (1.0 if self.ensemble.order[winner] == 1 else -1.0)
        one, other = (self.perturbed(rows, low, high, way)[0] for way in (heading, -heading))
        for share in ACROSS:
            found = self.space.round(torch.lerp(one, other, share), self.x[rows])
            yield found, self._inside(found, rows, low, high)

    def _inside(
        self,
        points: Tensor,
        rows: Tensor,
        low: npt.NDArray[np.int32],
        high: npt.NDArray[np.int32],
    ) -> Tensor:
        """Tell which points lie in their boxes and in Δ, shape (b,); sensitive values are v's."""
        kept = list(set(range(points.shape[1])) - set(self.counterparts.columns))
        pieces = self.ensemble.pieces(points)
        inside = ((low <= pieces) & (pieces <= high))[:, kept].all(axis=1)
        return torch.from_numpy(inside) & self.space.contains(points, self.x[rows])

    def combination(
        self, low: npt.NDArray[np.int32], high: npt.NDArray[np.int32], others: Tensor
    ) -> Tensor:
        """Return a row of the grid inside of each box, shape (b,); −1 for v's own values."""
        columns = list(self.counterparts.columns)
        first, last = low[:, None, columns], high[:, None, columns]
        inside = ((self.grid >= first) & (self.grid <= last)).all(axis=2) & others.numpy()
        return torch.from_numpy(np.where(inside.any(axis=1), inside.argmax(axis=1), -1))


def _value(
    axis: Axis,
    box: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    side: npt.NDArray[np.int32],
    here: Tensor,
    ends: tuple[Tensor, Tensor],
    spacing: Tensor,
) -> Tensor:
    """Return a number of each box, shape (b,), float64.

    It is the least one where ``side`` is 1, the greatest one where it is −1, and where somebody is
    where it is 0.
    """
    low, high = box
    least, greatest = (torch.from_numpy(end[at]) for end, at in zip(axis.ends(), box, strict=True))
    up, stays = torch.from_numpy(side > 0), torch.from_numpy(side == 0)
    number = _inward(torch.where(up, least, greatest).clamp(*ends), up, here.dtype)
    unit = torch.where(spacing > 0, spacing, 1.0)
    step = torch.where(
        up, torch.ceil(number / unit - ON_LATTICE), torch.floor(number / unit + ON_LATTICE)
    )
    further = step + torch.where(up, 1.0, -1.0)
    piece = axis.pieces(step * unit)
    wrong = torch.from_numpy((piece < low) | (high < piece))
    on_lattice = torch.where(wrong, further, step) * unit
    return torch.where(stays, here, torch.where(spacing > 0, on_lattice, number))


def _inward(number: Tensor, up: Tensor, dtype: torch.dtype) -> Tensor:
    """Round numbers to a type, those that begin a box up, those that end it down."""
    nearest = number.to(dtype)
    further = torch.nextafter(nearest, torch.where(up, torch.inf, -torch.inf).to(dtype))
    is_out = torch.where(up, nearest < number, nearest > number)
    return torch.where(is_out, further, nearest).to(torch.float64)
