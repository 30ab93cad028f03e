"""Complete branch and bound over I(v) × Δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.certificates.bounds import linear_bound
from rafair.certificates.boxes import Boxes

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.certificates.boxes import Values
    from rafair.certificates.network import ReluNetwork

__all__ = ["BROKEN", "PROVED", "UNDECIDED", "Outcome", "branch_and_bound"]

PROVED, BROKEN, UNDECIDED = 1, -1, 0

# Weight of a feature's share in the relaxation's error beside its own slope; measured.
ERROR_WEIGHT = 0.01
# Boxes of one instance in a round, doubled from round to round up to the second number: what an
# instance goes through depends on nothing but itself.
FIRST_ROUND, LARGEST_ROUND = 2, 256
# Boxes bounded at once.
CHUNK = 512


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
    network: ReluNetwork,
    boxes: Boxes,
    values: Values,
    y: Tensor,
    *,
    slack: float,
    max_nodes: int,
    is_wrong: Callable[[Tensor, Tensor], Tensor],
) -> Outcome:
    """Decide for each instance whether f = y all over its boxes.

    A box whose bound lies above ``slack`` is done. Else the corner where its linear bound is least
    is tried; a person there who is decided wrongly ends the instance. Else it is split along the
    feature with the largest (|slope| + 0.01 · sensitivity) · width. The newest boxes come first.

    Parameters
    ----------
    y : Tensor of int64, shape (n,)
    slack : float
        What rounding may take from a bound.
    max_nodes : int
        Boxes to bound per instance, at most; it is undecided if some are left then.
    is_wrong : callable
        From people (b, d) and the instances they belong to (b,) to bool (b,): does the model itself
        decide them wrongly?
    """
    n, device = len(y), y.device
    status = torch.full((n,), PROVED, dtype=torch.int64, device=device)
    person = torch.full((n, boxes.low.shape[1]), torch.nan, dtype=torch.float64, device=device)
    nodes = torch.zeros(n, dtype=torch.int64, device=device)
    width = FIRST_ROUND
    while len(boxes):
        now, later = _newest(boxes, width, max_nodes - nodes)
        spent = torch.bincount(boxes.owner, minlength=n).clamp_max(1).bool() & (nodes >= max_nodes)
        status[spent] = UNDECIDED
        nodes += torch.bincount(now.owner, minlength=n)
        children = [later]
        for index in torch.split(torch.arange(len(now), device=device), CHUNK):
            some = now.take(index)
            bound = linear_bound(network, some.low, some.high, y[some.owner], some.pattern)
            open_ = (bound.lower <= slack).nonzero()[:, 0]
            slope, felt = bound.slope[open_], bound.sensitivity[open_]
            some = some.take(open_)
            corner = torch.where(slope > 0, some.low, some.high)
            wrong = is_wrong(corner, some.owner)
            status[some.owner[wrong]] = BROKEN
            person[some.owner[wrong]] = corner[wrong]
            stuck = ~wrong & some.is_point  # too close to call
            status[some.owner[stuck & (status[some.owner] != BROKEN)]] = UNDECIDED
            settled = tuple(signs[open_] for signs in bound.pattern)
            some = Boxes(some.owner, some.low, some.high, some.first, some.last, settled)
            score = (slope.abs() + ERROR_WEIGHT * felt) * (some.high - some.low)
            on = (status[some.owner] == PROVED).nonzero()[:, 0]
            children.append(some.take(on).halves(score[on], values))
        boxes = Boxes.join(children)
        boxes = boxes.take((status[boxes.owner] == PROVED).nonzero()[:, 0])
        width = min(2 * width, LARGEST_ROUND)
    return Outcome(status, person, nodes)


def _newest(boxes: Boxes, width: int, allowed: Tensor) -> tuple[Boxes, Boxes]:
    """Take the last ``width`` boxes of each instance, no more than it is allowed."""
    order = torch.argsort(boxes.owner, stable=True)
    owner = boxes.owner[order]
    counts = torch.bincount(owner, minlength=len(allowed))
    behind = counts.cumsum(0)[owner] - torch.arange(len(owner), device=owner.device)
    taken = behind <= allowed.clamp(0, width)[owner]
    return boxes.take(order[taken]), boxes.take(order[~taken])
