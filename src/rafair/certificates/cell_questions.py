"""What branch and bound is asked about a cell: is there a δ at which v lies in it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from rafair.bounds.bound import Bound
from rafair.bounds.crown import linear_bound
from rafair.bounds.network import no_pattern
from rafair.certificates.boxes import own_boxes, root_boxes
from rafair.certificates.demands import Contest
from rafair.fairness import TF, judge
from rafair.fairness.decisions import predict

if TYPE_CHECKING:
    from rafair.bounds.network import LayeredNetwork
    from rafair.bounds.rounding import Rounding
    from rafair.certificates.boxes import Boxes, Values
    from rafair.certificates.claim import Claim
    from rafair.problem import PerturbationSpace

__all__ = ["BiasedCell", "FairCell", "Question"]

# Weights tried for the bound at the counterpart beside that at v.
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
# What keeps a division finite, and what ranks a weight that cannot prove a box behind all others.
TINY, HOPELESS = 1e-300, 1e12


class Question(Protocol):
    """Is there a δ in Δ at which v is decided as a class and its I(v) as a cell asks?"""

    def boxes(self) -> tuple[Boxes, Values]:
        """Return the boxes to search."""
        ...

    def bound(self, some: Boxes, target: Tensor, raise_from: Tensor, enough: Tensor) -> Bound:
        """Return bounds that exceed ``enough`` only for boxes without such a δ."""
        ...

    def holds(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell for which people of the boxes it holds, as the model itself decides, (b,), bool."""
        ...

    def person(self, points: Tensor, owner: Tensor) -> Tensor:
        """Return the person of a box to ask about at each point v + δ, shape (b, d), float64."""
        ...


@dataclass(frozen=True, eq=False)
class BiasedCell:
    """f(v + δ) = c, and somebody in I(v + δ) is decided as a class that this forbids to them."""

    claim: Claim
    network: LayeredNetwork
    space: PerturbationSpace
    rounding: Rounding

    def boxes(self) -> tuple[Boxes, Values]:
        """Return I(v) × Δ; a pattern holds what is known of the counterparts' neurons, then v's."""
        claim = self.claim
        everyone = (claim.counterparts, self.space, claim.demands)
        boxes, values = root_boxes(self.network, claim.x, *everyone)
        return replace(boxes, pattern=boxes.pattern * 2), values

    def bound(self, some: Boxes, target: Tensor, raise_from: Tensor, enough: Tensor) -> Bound:
        """Bound a weighted sum of two margins: at the counterpart, and against c at v.

        The first is that of an allowed class over the forbidden ones. Where there is a witness,
        both are at most 0, and so is every such sum.
        """
        columns, layers = list(self.claim.counterparts.columns), self.network.n_hidden
        low, high = some.low.clone(), some.high.clone()
        own = self.claim.x[some.owner][:, columns].to(low)
        low[:, columns], high[:, columns] = own, own
        against = target.unsqueeze(1)
        sides = self.claim.demands.sides(some.owner, some.n_forbidden)
        others = self.claim.demands.classes[some.owner, :-1]
        at_v = Contest.at((low + high) / 2, (against, others), self.network)
        middle = Contest.at((some.low + some.high) / 2, sides, self.network)
        v = linear_bound(
            self.network, low, high, at_v.forbidden, some.pattern[layers:], rivals=against
        )
        other = linear_bound(
            self.network,
            some.low,
            some.high,
            middle.allowed,
            some.pattern[:layers],
            raise_from,
            enough,
            rivals=sides[1],
        )
        fixed = torch.tensor(columns, device=low.device)  # v does not move with the box there
        v = replace(
            v,
            slope=v.slope.index_fill(1, fixed, 0.0),
            sensitivity=v.sensitivity.index_fill(1, fixed, 0.0),
        )
        mixed = _mixed(other, v, (-middle.lead, at_v.lead), some)
        people = (low, high), (some.low, some.high)
        mixed = self.rounding.tightened(mixed, some.owner, enough, *people)
        # Nobody is decided otherwise than themselves, though bounds near a tie cannot tell.
        is_v = ((some.low[:, columns] == own) & (some.high[:, columns] == own)).all(dim=1)
        return replace(mixed, lower=mixed.lower.masked_fill(is_v, torch.inf))

    def holds(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell where v is decided as c and this person, who exists, as a forbidden class."""
        if not len(owner):
            return torch.zeros(0, dtype=torch.bool, device=owner.device)
        claim = self.claim
        point, counterpart = claim.possible(people, owner)
        themselves = (counterpart == point).all(dim=1)
        is_forbidden = claim.is_forbidden(counterpart, themselves, owner)
        is_class = predict(claim.model, point) == claim.y[owner]
        return is_class & is_forbidden & claim.counterparts.exist(counterpart, point)

    def person(self, points: Tensor, owner: Tensor) -> Tensor:
        """Return the member of I(v + δ) with the largest margin against c."""
        claim = self.claim
        row = claim.worst(points, owner)
        return claim.counterparts.take(points, row).to(torch.float64)


@dataclass(frozen=True, eq=False)
class FairCell:
    """f(v + δ) = c, and nobody in I(v + δ) is decided as a class that this forbids to them."""

    claim: Claim
    network: LayeredNetwork
    space: PerturbationSpace
    rounding: Rounding

    def boxes(self) -> tuple[Boxes, Values]:
        """Return Δ around each v."""
        return own_boxes(self.network, self.claim.x, self.claim.counterparts, self.space)

    def bound(self, some: Boxes, target: Tensor, raise_from: Tensor, enough: Tensor) -> Bound:  # noqa: ARG002
        """Bound a weighted sum of the margins of two people.

        A margin is that of a forbidden class over the allowed ones. The first person is who has the
        largest margin against c in the middle of the box, the second who has it at the corner where
        the first one's bound is least. Where there is a witness, both are at most 0, and so is
        every such sum.
        """
        middle = (some.low + some.high) / 2
        first, value, person = self._bound_of(middle, some, raise_from, enough)
        corner = torch.where(first.slope > 0, some.low, some.high)
        second, other_value, another = self._bound_of(corner, some, raise_from, enough)
        mixed = _mixed(second, first, (other_value, value), some)
        mixed = self.rounding.tightened(mixed, some.owner, enough, person, another)
        # A half of the box may ask other people, whose neurons have another pattern.
        return replace(mixed, pattern=no_pattern(self.network, len(middle)))

    def _bound_of(
        self, points: Tensor, some: Boxes, raise_from: Tensor, enough: Tensor
    ) -> tuple[Bound, Tensor, tuple[Tensor, Tensor]]:
        """Bound the margin of who has the largest against c at some points.

        Return the bound, the margin in the middle of the box, and this person's box.
        """
        columns, demands = list(self.claim.counterparts.columns), self.claim.demands
        who, n_forbidden = self._somebody(points.to(self.claim.x.dtype), some.owner)
        low, high = some.low.clone(), some.high.clone()
        low[:, columns], high[:, columns] = who[:, columns], who[:, columns]
        sides = demands.sides(some.owner, n_forbidden)
        middle = Contest.at((low + high) / 2, sides, self.network)
        found = linear_bound(
            self.network,
            low,
            high,
            middle.forbidden,
            no_pattern(self.network, len(low)),
            raise_from,
            enough,
            rivals=sides[0],
        )
        return found, middle.lead, (low, high)

    def _somebody(self, points: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """Return the person with the largest margin against c, and how many classes are forbidden.

        It must be a person, (n, d), float64, who is judged at every point of Δ.
        """
        claim = self.claim
        conditions, movable = claim.counterparts.conditions, self.space.movable(points)
        moved = movable.nonzero()[:, 0].tolist()
        row = torch.full_like(owner, -1)
        # If a relation involves features that move, only v itself is judged whatever moves.
        if len(points) and (conditions is None or not len(conditions.about(moved))):
            row = claim.worst(points, owner)
        count = claim.demands.counts[owner, row.clamp_min(0)]
        count = torch.where(row < 0, claim.demands.all_but_one, count)
        return claim.counterparts.take(points, row).to(torch.float64), count

    def holds(self, people: Tensor, owner: Tensor) -> Tensor:
        """Tell where all of I(v) are decided as c."""
        if not len(owner):
            return torch.zeros(0, dtype=torch.bool, device=owner.device)
        claim = self.claim
        point, _ = claim.possible(people, owner)
        problem = (claim.model, point, claim.y[owner], claim.counterparts)
        verdict = judge(*problem, *claim.demands.condition.parameters)
        return verdict.cells == TF

    def person(self, points: Tensor, owner: Tensor) -> Tensor:  # noqa: ARG002
        """Return v + δ itself."""
        return points.to(torch.float64)


def _mixed(other: Bound, v: Bound, real: tuple[Tensor, Tensor], some: Boxes) -> Bound:
    """Weigh the bounds of two people; take the weight that is closest to a proof.

    A sum whose real value at the middle of the box is not positive never proves the box. Of the
    others, the closest is the one that loses least of that value.

    Parameters
    ----------
    real : pair of Tensor, shape (n,)
        The two margins themselves in the middle of each box.
    """
    radius = (some.high - some.low) / 2
    middle = other.lower + (other.slope.abs() * radius).sum(dim=1)
    v_middle = v.lower + (v.slope.abs() * radius).sum(dim=1)
    best, best_hope = v.lower, torch.full_like(middle, -torch.inf)
    slope, felt, others = v.slope, v.sensitivity, torch.full_like(middle, torch.inf)
    for weight in WEIGHTS:
        mixed = torch.lerp(v.slope, other.slope, weight)
        lower = torch.lerp(v_middle, middle, weight) - (mixed.abs() * radius).sum(dim=1)
        rest = other.others if weight > 0 else torch.full_like(lower, torch.inf)
        lower = torch.minimum(lower, rest)  # other classes count where the counterpart does
        value = torch.lerp(real[1], real[0], weight)
        hope = torch.where(value > 0, lower / value.clamp_min(TINY), lower - HOPELESS)
        better = hope > best_hope
        wide = better.unsqueeze(1)
        best, best_hope = torch.where(better, lower, best), torch.maximum(hope, best_hope)
        slope = torch.where(wide, mixed, slope)
        felt = torch.where(wide, torch.lerp(v.sensitivity, other.sensitivity, weight), felt)
        others = torch.where(better, rest, others)
    plain = other.plain_slope + v.slope
    return Bound(best, slope, plain, felt, other.pattern + v.pattern, other.gain, others)
