"""What a certificate claims about I(v) × Δ, and how the model itself is asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.attacks.apgd import APGD
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.fairness import worst_of_all
from rafair.fairness.decisions import predict
from rafair.problem.losses import Margin

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.network import ReluNetwork

__all__ = ["Claim", "rounding_slack"]

# The attack on instances that are still undecided.
ATTACK_STEPS, RESTARTS = 40, 3
# Largest rounding error of a margin, of the bounds in float64 and of the model in its own type: the
# larger of the first number, and of the second number times the sum of a score's absolute terms.
SLACK = {torch.float64: (1e-6, 1e-12), torch.float32: (1e-4, 1e-5)}


def rounding_slack(network: ReluNetwork, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the number that a bound must exceed to be a proof, shape (n,), float64."""
    least, share = SLACK.get(dtype, max(SLACK.values()))
    hidden = network.hidden(x.to(torch.float64)).abs()
    terms = hidden @ network.weights[-1].abs().T + network.biases[-1].abs()
    return (share * terms.amax(dim=1)).clamp_min(least)


@dataclass(frozen=True, eq=False)
class Claim:
    """The claim that f = ``y`` at v + δ and, unless ``alone``, for everyone in I(v + δ)."""

    model: Classifier
    x: Tensor
    y: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
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
        wrong = predict(self.model, counterpart) != self.y[owner]
        themselves = (counterpart == perturbed).all(dim=1)
        return wrong & (themselves | self.counterparts.exist(counterpart))

    def is_nobody(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell which people a relation excludes, as v + δ or as its counterpart, (b,), bool."""
        origin = self.x[owner]
        perturbed = torch.where(self.space.movable(origin), people.to(origin.dtype), origin)
        themselves = (people.to(origin.dtype) == perturbed).all(dim=1)
        nobody = ~themselves & ~self.counterparts.exist(people)
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
        _, row = worst_of_all(self.model, point, y, people, Margin())
        return people.take(point, row).to(torch.float64)
