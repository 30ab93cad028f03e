"""Δ and I(v) of people in pieces, and back from boxes of pieces to people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.errors import InvalidInput
from rafair.problem.space import SLACK

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from rafair.fairness import Lipschitz
    from rafair.kernels.tree_problem import People
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees.axes import Axis
    from rafair.trees.ensemble import TreeEnsemble

__all__ = ["PiecedProblem"]

# A multiple of a lattice's spacing may be off by this, as a share of the spacing.
ON_LATTICE = 1e-6


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
        low, high, mine = (part[index] for part in (low, high, self.own))
        least, most = (part[index] for part in self._reach)
        single = self.refined if refined else self.refined[:0]
        return People(
            low, high, mine, columns, is_sensitive, self.grid, exists, single, least, most
        )

    @cached_property
    def _reach(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Bounds of each ramp within Δ, (n, ramps); infinite where pieces say all."""
        low, high = self.ends
        ramps = self.ensemble.ramps
        least, most = ramps.between(low.numpy() - SLACK, high.numpy() + SLACK)
        inner = ramps.is_spread & ~np.isin(ramps.feature, self.counterparts.columns)
        return np.where(inner, least, -np.inf), np.where(inner, most, np.inf)

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
            Within the piece nearest to v, go to its least number, −1, or to its greatest, 1.

        Returns
        -------
        Tensor, shape (b, d), in x's type; Tensor of bool, shape (b,)
        """
        origin = self.x[rows]
        nearest = np.clip(self.own[rows.numpy()], low, high)
        point, movable = origin.to(torch.float64), self.space.movable(origin)
        spacing = self.space.spacing(origin.to(torch.float64))
        for place in movable.nonzero()[:, 0].tolist():
            ends = (self.ends[0][rows, place], self.ends[1][rows, place])
            piece, own = nearest[:, place], self.own[rows.numpy(), place]
            axis, towards = self.ensemble.axes[place], 0.0 if heading is None else heading[place]
            point[:, place] = _value(
                axis, piece, np.sign(piece - own) if not towards else np.full_like(own, -towards),
                point[:, place], ends, spacing[:, place],
            )  # fmt: skip
        found = self.space.project(point.to(origin.dtype), origin)
        kept = list(set(range(found.shape[1])) - set(self.counterparts.columns))
        inside = (self.ensemble.pieces(found) == nearest)[:, kept].all(axis=1)
        return found, torch.from_numpy(inside) & self.space.contains(found, origin)

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
    piece: npt.NDArray[np.int32],
    side: npt.NDArray[np.int32],
    here: Tensor,
    ends: tuple[Tensor, Tensor],
    spacing: Tensor,
) -> Tensor:
    """Return a number of a piece, shape (b,), float64: the least one where ``side`` is 1, the
    greatest one where it is −1, and where somebody is where it is 0.
    """
    least, greatest = (torch.from_numpy(end[piece]) for end in axis.ends())
    up, stays = torch.from_numpy(side > 0), torch.from_numpy(side == 0)
    number = torch.where(up, least, greatest).clamp(*ends)
    unit = torch.where(spacing > 0, spacing, 1.0)
    step = torch.where(
        up, torch.ceil(number / unit - ON_LATTICE), torch.floor(number / unit + ON_LATTICE)
    )
    further = step + torch.where(up, 1.0, -1.0)
    wrong = torch.from_numpy(axis.pieces(step * unit) != piece)
    on_lattice = torch.where(wrong, further, step) * unit
    return torch.where(stays, here, torch.where(spacing > 0, on_lattice, number))
