"""Certificates of a guard that answers with the mean of a ReLU network's logits over I(v)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from rafair.attacks.cell_ascent import CellAscent
from rafair.bounds.rounding import Rounding
from rafair.certificates.averages import Average
from rafair.certificates.boxes import Boxes, hull, own_boxes
from rafair.certificates.branching import branch_and_bound
from rafair.certificates.claim import Claim
from rafair.certificates.demands import Demands
from rafair.fairness import STRICT
from rafair.fairness.decisions import predict

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.bounds.bound import Bound
    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.branching import Decisions
    from rafair.guarding import GuardedClassifier
    from rafair.problem import PerturbationSpace

__all__ = ["MeanSearch"]


@dataclass(frozen=True, eq=False)
class MeanSearch:
    """Branch and bound over Δ: is the guard's answer always, or is it never, y?

    Attributes
    ----------
    guard : GuardedClassifier
        With the rule "mean".
    network : LayeredNetwork
        The guard's model, with ReLU only.
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
    space : PerturbationSpace
    never : bool
        Ask whether the answer is never y. A point where it is y is a witness then.
    """

    guard: GuardedClassifier
    network: LayeredNetwork
    x: Tensor
    y: Tensor
    space: PerturbationSpace
    never: bool = False

    def decide(self, max_nodes: int, until: float) -> Decisions:
        """Decide it for each person; see ``branch_and_bound``. ``person`` is v + δ."""
        around = hull(self.x, self.guard.counterparts, self.space, self.network)
        everyone = torch.arange(len(self.x), device=self.x.device)
        boxes, values = own_boxes(self.network, self.x, self.guard.counterparts, self.space)
        slack = self._rounding.slack(*around, everyone) + self._averaging
        return branch_and_bound(
            self._bound,
            replace(boxes, pattern=()),
            values,
            self.y,
            slack=slack,
            max_nodes=max_nodes,
            is_wrong=self._is_witness,
            attack=self._attack,
            is_nobody=self._claim.is_nobody,
            until=until,
        )

    def points(self, people: Tensor, rows: Tensor) -> Tensor:
        """Return people of some rows, (b, d), exactly inside Δ."""
        return self._claim.possible(people, rows)[0]

    @cached_property
    def _claim(self) -> Claim:
        people, k = self.guard.counterparts, len(self.network.biases[-1])
        demands = Demands.of(STRICT, self.x, self.y, people, k)
        return Claim(self.guard, self.x, self.y, people, self.space, demands, alone=True)

    @cached_property
    def _average(self) -> Average:
        people = self.guard.counterparts
        grid = people.grid.to(self.guard.dtype).to(torch.float64)
        return Average(self.network, people.columns, grid)

    @cached_property
    def _rounding(self) -> Rounding:
        around = hull(self.x, self.guard.counterparts, self.space, self.network)
        return Rounding.around(self.network, *around, self.guard.dtype, self.x.dtype)

    @cached_property
    def _averaging(self) -> Tensor:
        around = hull(self.x, self.guard.counterparts, self.space, self.network)
        return self._average.rounding(self._rounding, *around)

    def _bound(self, some: Boxes, labels: Tensor, raise_from: Tensor, enough: Tensor) -> Bound:
        sides = self._sides(some, labels)
        found = self._average.bound(some.low, some.high, sides, raise_from, enough)
        columns = list(self.guard.counterparts.columns)
        low, high = some.low.clone(), some.high.clone()
        low[:, columns], high[:, columns] = self.guard.counterparts.grid.aminmax(dim=0)
        # What means add stays in the slack, however small the box is.
        averaging = self._averaging[some.owner]
        lower = replace(found, lower=found.lower - averaging)
        raised = self._rounding.tightened(lower, some.owner, enough - averaging, (low, high))
        return replace(raised, lower=raised.lower + averaging)

    def _sides(self, some: Boxes, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class that must lead in each box, (b,), and its rivals, (b, r)."""
        if self.never:
            middle = ((some.low + some.high) / 2).to(self.guard.dtype)
            scores = self.guard.scores(middle).scatter(1, labels.unsqueeze(1), -torch.inf)
            return scores.argmax(dim=1), labels.unsqueeze(1)
        rivals = torch.arange(len(self.network.biases[-1]) - 1, device=labels.device)
        return labels, rivals + (rivals >= labels.unsqueeze(1)).to(rivals.dtype)

    def _is_witness(self, people: Tensor, owner: Tensor) -> Tensor:
        if not self.never:
            return self._claim.is_wrong(people, owner)
        points, _ = self._claim.possible(people, owner)
        return predict(self.guard, points) == self.y[owner]

    def _attack(self, owner: Tensor) -> Tensor:
        if not self.never:
            return self._claim.attack(owner)
        x, y, people = self.x[owner], self.y[owner], self.guard.counterparts
        found = CellAscent("TF").run(self.guard, x, y, people, self.space)
        return found.x_adv.to(torch.float64)
