"""Complete branch and bound over I(v) × Δ."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import torch

from rafair.bounds.bound import ERROR_WEIGHT
from rafair.bounds.crown import BOXES
from rafair.certificates.boxes import POINT, Boxes

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.bounds.bound import Bound
    from rafair.certificates.boxes import Values

__all__ = ["BROKEN", "PROVED", "UNDECIDED", "Bounder", "Decisions", "branch_and_bound"]

Bounder: TypeAlias = "Callable[[Boxes, Tensor, Tensor, Tensor], Bound]"

PROVED, BROKEN, UNDECIDED = 1, -1, 0

# Number of boxes per instance in a round. Every round doubles it, up to the second number. It does
# not depend on the number of instances, so the result of one does not depend on the others.
FIRST_ROUND, LARGEST_ROUND = 2, 256
# Number of boxes after which an undecided instance is attacked; most are decided before.
ATTACK_AFTER = 64
# A bound is raised if it lies below the slack by less than this many times the mean earlier gain.
PROMISING = 2.0


@dataclass(frozen=True, eq=False)
class Decisions:
    """The result of branch and bound for n instances.

    Attributes
    ----------
    status : Tensor of int64, shape (n,)
        1 proved, −1 broken, 0 undecided.
    person : Tensor, shape (n, d), float64
        A person of I(v) × Δ who is decided wrongly; NaN if none was found.
    nodes : Tensor of int64, shape (n,)
        Number of boxes bounded.
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
    until: float = math.inf,
) -> Decisions:
    """Decide for each instance whether f = y everywhere in its boxes.

    A box whose bound lies above ``slack`` is proved. Otherwise the corner where its linear bound is
    least is tried; if the person there is decided wrongly, the instance is broken. Otherwise the
    box is split along the feature with the largest (|slope| + 0.01 · sensitivity) · width. The
    newest boxes are bounded first. An instance that is still undecided after 64 boxes is attacked
    once.

    Parameters
    ----------
    bound : callable
        From boxes, their labels, the number above which a bound is worth raising, and the slack,
        to a ``Bound``. Each kind of model has its own function.
    boxes : Boxes
        The boxes of all instances.
    values : Values
    y : Tensor of int64, shape (n,)
    slack : Tensor, shape (n,), float64
        Largest rounding error of a bound.
    max_nodes : int
        Largest number of boxes to bound per instance. An instance that needs more is undecided.
    is_wrong : callable
        From people (b, d) and the rows of their instances (b,) to bool (b,): does the model itself
        decide this person wrongly?
    attack : callable
        From rows of instances (b,) to one person of each, (b, d), who may be decided wrongly.
    is_nobody : callable
        Like ``is_wrong``: does a relation exclude this person? A box with nobody else is done.
    until : float
        Time of day, as ``time.time`` gives it, after which no further round begins. Instances with
        open boxes are undecided then.

    Returns
    -------
    Decisions
    """
    found = _Found.start(len(y), boxes.low)
    width = FIRST_ROUND
    while len(boxes):
        if time.time() >= until:
            found.give_up(boxes.owner, 0)
            break
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
    return Decisions(found.status, found.person, found.nodes)


@dataclass(frozen=True, eq=False)
class _Found:
    """The state of n instances during branch and bound; its tensors are updated in place."""

    status: Tensor
    person: Tensor
    nodes: Tensor
    gain: Tensor  # (n,), mean gain of the last bounds that were raised; infinite at first
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
        """Store the people who are decided wrongly as witnesses of their instances."""
        self.status[owner[is_wrong]] = BROKEN
        self.person[owner[is_wrong]] = people[is_wrong]

    def attacked(
        self,
        owner: Tensor,
        after: int,
        attack: Callable[[Tensor], Tensor],
        is_wrong: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """Attack, once, each of these instances that has cost ``after`` boxes or more."""
        owner = torch.unique(owner)
        owner = owner[(self.nodes[owner] >= after) & ~self.is_attacked[owner]]
        if len(owner):
            self.is_attacked[owner] = True
            people = attack(owner)
            self.note(people, owner, is_wrong(people, owner))

    def give_up(self, owner: Tensor, max_nodes: int) -> None:
        """Mark each of these instances as undecided if it has used ``max_nodes`` boxes."""
        spent = (self.nodes[owner] >= max_nodes) & (self.status[owner] == PROVED)
        self.status[owner[spent]] = UNDECIDED

    def learn(self, owner: Tensor, gain: Tensor) -> None:
        """Store the mean gain of this round for each instance with a bound that was raised."""
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
    """Try a corner of each box that its bound does not prove, and split the box.

    Halves that the bound of the whole box proves are left out.
    """
    left = (bound.lower <= enough).nonzero()[:, 0]
    slope, felt, some = bound.slope[left], bound.sensitivity[left], boxes.take(left)
    corner = torch.where(bound.plain_slope[left] > 0, some.low, some.high)
    wrong = is_wrong(corner, some.owner)
    found.note(corner, some.owner, wrong)
    width = some.high - some.low
    score = torch.where(width > POINT, (slope.abs() + ERROR_WEIGHT * felt) * width, 0.0)
    gone = (width == 0).all(dim=1)  # else somebody next to the corner may exist
    gone[gone.clone()] = is_nobody(corner[gone], some.owner[gone])
    stuck = some.owner[~wrong & ~gone & (score == 0).all(dim=1)]  # too narrow to split
    found.status[stuck[found.status[stuck] != BROKEN]] = UNDECIDED
    settled = tuple(signs[left] for signs in bound.pattern)
    some = replace(some, pattern=settled)
    on = (~gone & (found.status[some.owner] == PROVED)).nonzero()[:, 0]
    some, slope, lower = some.take(on), slope[on], bound.lower[left][on]
    halves = some.halves(score[on], values)
    # The linear function of the whole box bounds its halves too, and proves many of them for free.
    least = torch.where(slope > 0, some.low, some.high).repeat(2, 1)
    slope, lower = slope.repeat(2, 1), lower.repeat(2)
    corner = torch.where(slope > 0, halves.low, halves.high)
    inherited = lower + (slope * (corner - least)).sum(dim=1)
    inherited = torch.minimum(inherited, bound.others[left][on].repeat(2))
    return halves.take((inherited <= enough[left][on].repeat(2)).nonzero()[:, 0])


def _newest(boxes: Boxes, width: int, allowed: Tensor) -> tuple[Boxes, Boxes]:
    """Return the last ``width`` boxes of each instance, but at most ``allowed``, and the rest."""
    order = torch.argsort(boxes.owner, stable=True)
    owner = boxes.owner[order]
    counts = torch.bincount(owner, minlength=len(allowed))
    behind = counts.cumsum(0)[owner] - torch.arange(len(owner), device=owner.device)
    taken = behind <= allowed.clamp(0, width)[owner]
    return boxes.take(order[taken]), boxes.take(order[~taken])
