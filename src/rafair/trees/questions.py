"""Asks a search of trees about people, and lets the judge decide about what it lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.trees.problem import PiecedProblem
    from rafair.trees.searching import Boxes

__all__ = ["Answers", "TreeQuestion"]

# From points of Δ, (b, d), and whose they are, (b,), to whether they are what is searched, (b,).
Accept: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


@dataclass(frozen=True, eq=False)
class Answers:
    """What became of b people.

    Attributes
    ----------
    is_found, is_impossible : Tensor of bool, shape (b,)
    point : Tensor, shape (b, d)
        v + δ where one was found; NaN elsewhere.
    combination : Tensor of int64, shape (b,)
        A row of the grid in the box that was found; −1 for v's own values.
    nodes : Tensor of int64, shape (b,)
    """

    is_found: Tensor
    is_impossible: Tensor
    point: Tensor
    combination: Tensor
    nodes: Tensor


@dataclass(frozen=True, eq=False)
class TreeQuestion:
    """Is there a point of Δ that a search looks for and that is accepted?

    Attributes
    ----------
    pieced : PiecedProblem
    search : callable
        One of ``wrong``, ``apart`` and ``alike``.
    accept : callable
        See ``Accept``: the judge, who is asked where rounding decides.
    propose : callable
        The same, of the model by its pieces; asked about everybody else.
    until : float
        Time of day at which no further search begins.
    """

    pieced: PiecedProblem
    search: Callable[..., Boxes]
    accept: Accept
    propose: Accept
    until: float

    def ask(
        self, rows: Tensor, others: Tensor, classes: tuple[int, int], budget: Tensor
    ) -> Answers:
        """Ask about some people, rows (b,), and combinations, (b, m), within a budget, (b,)."""
        found = self._once(rows, others, classes, budget, refined=False)
        left = ~found.is_found & ~found.is_impossible & (found.nodes < budget)
        if not len(self.pieced.refined) or not bool(left.any()):
            return found
        again = left.nonzero()[:, 0]
        more = self._once(
            rows[again], others[again], classes, (budget - found.nodes)[again], refined=True
        )
        found.nodes[again] += more.nodes
        for name in ("is_found", "is_impossible", "point", "combination"):
            getattr(found, name)[again] = getattr(more, name)
        return found

    def _once(
        self,
        rows: Tensor,
        others: Tensor,
        classes: tuple[int, int],
        budget: Tensor,
        *,
        refined: bool,
    ) -> Answers:
        boxes = self.search(self.pieced, rows, others, classes, budget, self.until, refined=refined)
        person, owner = boxes.person, rows[boxes.person]
        point, inside = self.pieced.perturbed(owner, boxes.low, boxes.high)
        combination = self.pieced.combination(boxes.low, boxes.high, others[person])
        accepted = torch.zeros_like(inside)
        sides = ((self.propose, boxes.is_certain), (self.accept, ~boxes.is_certain))
        for ask, asked in ((one, inside & side) for one, side in sides):
            if bool(asked.any()):
                accepted[asked] = ask(point[asked], owner[asked])
        is_nobody = self._is_nobody(point, combination, boxes)
        settled = is_nobody | (inside & ~accepted & ~boxes.is_certain)
        if not self.pieced.is_pieced:
            settled &= is_nobody
            self._go_on(point, accepted, owner, boxes, classes[0])
        found = Answers(
            torch.zeros(len(rows), dtype=torch.bool),
            boxes.is_exhausted.clone(),
            torch.full_like(self.pieced.x[rows], torch.nan),
            torch.full_like(rows, -1),
            boxes.nodes,
        )
        found.is_impossible[person[~settled]] = False
        hits = accepted.nonzero()[:, 0]
        found.is_found[person[hits]] = True
        found.point[person[hits]], found.combination[person[hits]] = point[hits], combination[hits]
        return found

    def _go_on(
        self, point: Tensor, accepted: Tensor, owner: Tensor, boxes: Boxes, winner: int
    ) -> None:
        """Ask about points across boxes in which a line changes; keep the accepted in place."""
        left = (~accepted & ~boxes.is_certain).nonzero()[:, 0]
        if not len(left):
            return
        box = (boxes.low[left.numpy()], boxes.high[left.numpy()])
        for further, inside in self.pieced.across(owner[left], *box, winner):
            asked = (inside & ~accepted[left]).nonzero()[:, 0]
            if len(asked):
                asked = asked[self.accept(further[asked], owner[left][asked])]
                point[left[asked]], accepted[left[asked]] = further[asked], True

    def _is_nobody(self, point: Tensor, combination: Tensor, boxes: Boxes) -> Tensor:
        """Tell in which boxes a relation excludes everybody: they hold one value of each column."""
        pieced, axes = self.pieced, self.pieced.ensemble.axes
        if not len(pieced.refined) or any(axes[at].numbers is None for at in pieced.refined):
            return torch.zeros(len(point), dtype=torch.bool)
        single = torch.from_numpy((boxes.low == boxes.high)[:, pieced.refined].all(axis=1))
        person = pieced.counterparts.take(point, combination)
        is_absent = (combination >= 0) & ~pieced.counterparts.exist(person, point)
        if pieced.space.conditions is not None:
            is_absent |= ~pieced.space.conditions.met(point)
        return single & is_absent
