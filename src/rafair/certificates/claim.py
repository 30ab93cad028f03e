"""What a certificate claims about I(v) × Δ, and how the model itself is asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.attacks.apgd import APGD
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.fairness.decisions import counterpart_scores, own_scores, predict

if TYPE_CHECKING:
    from rafair.certificates.demands import Demands
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Claim"]

# The attack on instances that are still undecided.
ATTACK_STEPS, RESTARTS = 40, 3


@dataclass(frozen=True, eq=False)
class Claim:
    """The claim that f = ``y`` at v + δ and, unless ``alone``, on I(v + δ) what it demands."""

    model: Classifier
    x: Tensor
    y: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    demands: Demands
    alone: bool

    def possible(self, people: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """Split people into v + δ and its counterpart, with v + δ exactly inside Δ."""
        origin, sensitive = self.x[owner], list(self.counterparts.columns)
        moved = torch.where(self.space.movable(origin), people.to(origin.dtype), origin)
        perturbed = self.space.round(self.space.project(moved, origin), origin)
        counterpart = perturbed.clone()
        counterpart[:, sensitive] = people[:, sensitive].to(origin.dtype)
        return perturbed, counterpart

    def is_wrong(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell which people the model decides otherwise than claimed, shape (b,), bool."""
        if not len(owner):
            return torch.zeros(0, dtype=torch.bool, device=owner.device)
        perturbed, counterpart = self.possible(people, owner)
        themselves = (counterpart == perturbed).all(dim=1)
        wrong = self.is_forbidden(counterpart, themselves, owner)
        return wrong & (themselves | self.counterparts.exist(counterpart, perturbed))

    def is_forbidden(self, people: Tensor, themselves: Tensor, owner: Tensor) -> Tensor:
        """Tell which of these counterparts, (b, d), the model gives a forbidden class, (b,)."""
        values = people[:, list(self.counterparts.columns)]
        count = self.demands.count(values, owner, themselves)
        return self.demands.forbid(predict(self.model, people), owner, count)

    def worst(self, points: Tensor, owner: Tensor) -> Tensor:
        """Return whose forbidden classes lead the allowed ones most: row of the grid, −1 for v.

        Only v itself and people to whom a class is forbidden count.
        """
        found, people, demands = [], self.counterparts, self.demands
        for block in people.blocks(len(points)):
            some, who = points[block], owner[block]
            scores = counterpart_scores(self.model, some, people)
            lead = demands.lead(scores, who, demands.counts[who])
            lead = lead.masked_fill(~people.valid(some), -torch.inf)
            largest, row = lead.max(dim=1)
            strict = torch.full_like(who, demands.all_but_one).unsqueeze(1)
            own = demands.lead(own_scores(self.model, some).unsqueeze(1), who, strict)[:, 0]
            found.append(row.masked_fill(own > largest, -1))
        return torch.cat(found)

    def is_nobody(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell who is no person or no counterpart of v + δ, or v + δ no person, (b,), bool."""
        origin = self.x[owner]
        perturbed = torch.where(self.space.movable(origin), people.to(origin.dtype), origin)
        themselves = (people.to(origin.dtype) == perturbed).all(dim=1)
        nobody = ~themselves & ~self.counterparts.exist(people, perturbed)
        if self.space.conditions is not None:
            nobody |= ~self.space.conditions.met(perturbed)
        return nobody

    def attack(self, owner: Tensor) -> Tensor:
        """Return the people that the strongest single attack finds, shape (b, d), float64."""
        x, y, people = self.x[owner], self.y[owner], self.counterparts
        if self.alone:
            own = APGD(ATTACK_STEPS, "margin", random_start=False, restarts=RESTARTS)
            return own.run(self.model, x, y, people, self.space).x_adv.to(torch.float64)
        joint = MultiAPGD(ATTACK_STEPS, restarts=RESTARTS)
        point = joint.run(self.model, x, y, people, self.space).x_adv
        return people.take(point, self.worst(point, owner)).to(torch.float64)
