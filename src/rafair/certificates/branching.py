"""Complete branch and bound over I(v) × Δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from rafair.certificates.boxes import POINT, Boxes
from rafair.problem.bounds import BOXES

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.certificates.boxes import Values
    from rafair.problem.bounds import Bound

__all__ = ["BROKEN", "PROVED", "UNDECIDED", "Bounder", "Outcome", "branch_and_bound"]

Bounder: TypeAlias = "Callable[[Boxes, Tensor, Tensor, Tensor], Bound]"

PROVED, BROKEN, UNDECIDED = 1, -1, 0

# Weight of a feature's share in the relaxation's error beside its own slope; measured.
ERROR_WEIGHT = 0.01
# Boxes of one instance in a round, doubled from round to round up to the second number: what an
# instance goes through depends on nothing but itself.
FIRST_ROUND, LARGEST_ROUND = 2, 256
# Boxes after which an instance is attacked: most are decided before.
ATTACK_AFTER = 64
# A bound is worth raising if it lies within so many times the gain that raising brought before.
PROMISING = 2.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is known of n instances.

    Attributes
    ----------
    status : Tensor of int64, shape (n,)
        1 proved, −1 broken, 0 undecided.
    person : Tensor, shape (n, d), float64
        A person of I(v) × Δ who is decided wrongly; NaN where there is none.
    nodes : Tensor of int64, shape (n,)
        Boxes bounded.
    """

    status: Tensor
    person: Tensor
    nodes: Tensor


def branch_and_bound(
    bound: Bounder,
    boxes: Boxes,
    values: Values,
    y: Tensor,
    *,
    slack: Tensor,
    max_nodes: int,
    is_wrong: Callable[[Tensor, Tensor], Tensor],
    attack: Callable[[Tensor], Tensor],
    is_nobody: Callable[[Tensor, Tensor], Tensor],
) -> Outcome:
    """Decide for each instance whether f = y all over its boxes.

    A box whose bound lies above ``slack`` is done. Else the corner where its linear bound is least
    is tried; a person there who is decided wrongly ends the instance. Else it is split along the
    feature with the largest (|slope| + 0.01 · sensitivity) · width. The newest boxes come first. An
    instance that is still open after some boxes is attacked once.

    Parameters
    ----------
    bound : callable
        From boxes, their labels, from where on a bound is worth raising, and the slack, to their
        bounds: what is known of the model. Each kind of model has its own.
    y : Tensor of int64, shape (n,)
    slack : Tensor, shape (n,), float64
        What rounding may take from a bound.
    max_nodes : int
        Boxes to bound per instance, at most; it is undecided if some are left then.
    is_wrong : callable
        From people (b, d) and the instances they belong to (b,) to bool (b,): does the model itself
        decide them wrongly?
    attack : callable
        From instances (b,) to a person (b, d) for each who may be decided wrongly.
    is_nobody : callable
        Like ``is_wrong``: whom a relation rules out, so that a box of them alone is done.
    """
    found = _Found.start(len(y), boxes.low)
    width = FIRST_ROUND
    while len(boxes):
        found.attacked(boxes.owner, min(ATTACK_AFTER, max_nodes), attack, is_wrong)
        found.give_up(boxes.owner, max_nodes)
        boxes = boxes.take((found.status[boxes.owner] == PROVED).nonzero()[:, 0])
        now, later = _newest(boxes, width, max_nodes - found.nodes)
        found.nodes.add_(torch.bincount(now.owner, minlength=len(y)))
        children, gains = [later], [found.gain[:0]]
        for index in torch.split(torch.arange(len(now), device=y.device), BOXES):
            some = now.take(index)
            enough = slack[some.owner]
            promising = enough - PROMISING * found.gain[some.owner]
            bounds = bound(some, y[some.owner], promising, enough)
            gains.append(bounds.gain)
            parts = _open_halves(some, bounds, values, enough, found, is_wrong, is_nobody)
            children.append(parts)
        found.learn(now.owner, torch.cat(gains))
        boxes = Boxes.join(children)
        boxes = boxes.take((found.status[boxes.owner] == PROVED).nonzero()[:, 0])
        width = min(2 * width, LARGEST_ROUND)
    return Outcome(found.status, found.person, found.nodes)


@dataclass(frozen=True, eq=False)
class _Found:
    """What is known of n instances so far; its tensors are written to."""

    status: Tensor
    person: Tensor
    nodes: Tensor
    gain: Tensor  # mean of what better lines raised the last bounds by; infinite at first
    is_attacked: Tensor  # bool

    @classmethod
    def start(cls, n: int, like: Tensor) -> _Found:
        status = torch.full((n,), PROVED, dtype=torch.int64, device=like.device)
        return cls(
            status,
            like.new_full((n, like.shape[1]), torch.nan),
            torch.zeros_like(status),
            like.new_full((n,), torch.inf),
            status != PROVED,
        )

    def note(self, people: Tensor, owner: Tensor, is_wrong: Tensor) -> None:
        """Take these people as witnesses where they are decided wrongly."""
        self.status[owner[is_wrong]] = BROKEN
        self.person[owner[is_wrong]] = people[is_wrong]

    def attacked(
        self,
        owner: Tensor,
        after: int,
        attack: Callable[[Tensor], Tensor],
        is_wrong: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """Attack, once, those of these instances that have cost so many boxes."""
        owner = torch.unique(owner)
        owner = owner[(self.nodes[owner] >= after) & ~self.is_attacked[owner]]
        if len(owner):
            self.is_attacked[owner] = True
            people = attack(owner)
            self.note(people, owner, is_wrong(people, owner))

    def give_up(self, owner: Tensor, max_nodes: int) -> None:
        """Leave those of these instances undecided that are open and have spent their boxes."""
        spent = (self.nodes[owner] >= max_nodes) & (self.status[owner] == PROVED)
        self.status[owner[spent]] = UNDECIDED

    def learn(self, owner: Tensor, gain: Tensor) -> None:
        """Keep for each instance the mean gain of a round, if there was any."""
        tried = ~gain.isnan()
        count = torch.zeros_like(self.gain).index_add_(0, owner, tried.to(gain.dtype))
        total = torch.zeros_like(self.gain).index_add_(0, owner, gain.nan_to_num())
        self.gain[count > 0] = (total / count)[count > 0]


def _open_halves(
    boxes: Boxes,
    bound: Bound,
    values: Values,
    enough: Tensor,
    found: _Found,
    is_wrong: Callable[[Tensor, Tensor], Tensor],
    is_nobody: Callable[[Tensor, Tensor], Tensor],
) -> Boxes:
    """Try the corners of the boxes that a bound leaves open, and split these."""
    left = (bound.lower <= enough).nonzero()[:, 0]
    slope, felt, some = bound.slope[left], bound.sensitivity[left], boxes.take(left)
    corner = torch.where(bound.plain_slope[left] > 0, some.low, some.high)
    wrong = is_wrong(corner, some.owner)
    found.note(corner, some.owner, wrong)
    width = some.high - some.low
    score = torch.where(width > POINT, (slope.abs() + ERROR_WEIGHT * felt) * width, 0.0)
    gone = (width <= POINT).all(dim=1)
    gone[gone.clone()] = is_nobody(corner[gone], some.owner[gone])
    stuck = some.owner[~wrong & ~gone & (score == 0).all(dim=1)]  # too close to call
    found.status[stuck[found.status[stuck] != BROKEN]] = UNDECIDED
    settled = tuple(signs[left] for signs in bound.pattern)
    some = Boxes(some.owner, some.low, some.high, some.first, some.last, settled)
    on = (~gone & (found.status[some.owner] == PROVED)).nonzero()[:, 0]
    some, slope, lower = some.take(on), slope[on], bound.lower[left][on]
    halves = some.halves(score[on], values)
    # The parent's linear function bounds a half too, and closes many without more work.
    least = torch.where(slope > 0, some.low, some.high).repeat(2, 1)
    slope, lower = slope.repeat(2, 1), lower.repeat(2)
    corner = torch.where(slope > 0, halves.low, halves.high)
    inherited = lower + (slope * (corner - least)).sum(dim=1)
    inherited = torch.minimum(inherited, bound.others[left][on].repeat(2))
    return halves.take((inherited <= enough[left][on].repeat(2)).nonzero()[:, 0])


def _newest(boxes: Boxes, width: int, allowed: Tensor) -> tuple[Boxes, Boxes]:
    """Take the last ``width`` boxes of each instance, no more than it is allowed."""
    order = torch.argsort(boxes.owner, stable=True)
    owner = boxes.owner[order]
    counts = torch.bincount(owner, minlength=len(allowed))
    behind = counts.cumsum(0)[owner] - torch.arange(len(owner), device=owner.device)
    taken = behind <= allowed.clamp(0, width)[owner]
    return boxes.take(order[taken]), boxes.take(order[~taken])
