"""R-IF: find a biased instance between a seed and a point where somebody has another class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import decide, own_scores, predict
from rafair.fairness.lipschitz import STRICT, Lipschitz
from rafair.fairness.worst import worst_of_all
from rafair.problem.losses import Margin

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["find_dissent"]

# After this number of halvings the ends of a segment differ by rounding only.
HALVINGS = 50
# Shares of the rest of the segment at which an instance with larger margins is tried.
FURTHER = (0.0, 1e-8, 1e-6, 1e-4, 1e-2, 0.1)


def find_dissent(
    model: Classifier,
    x: Tensor,
    end: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    condition: Lipschitz = STRICT,
) -> tuple[Tensor, Tensor, Tensor]:
    """Find a biased instance on the segment from each seed to a given point.

    At the given point, somebody's class differs from the seed's. If neither end of the segment is
    biased, all of I(v) has one class at the seed and another class at the end. The segment is then
    halved until a biased instance is found; there is one unless everybody's class changes at the
    same point. The first biased instance may be biased only in the last bit, so some points further
    on are tried too, and the one with the largest margins is returned.

    Parameters
    ----------
    x : Tensor, shape (n, d), unit space
        The seeds.
    end : Tensor, shape (n, d), unit space
        A point of Δ around each seed.
    condition : Lipschitz
        Which decisions are too far apart; by default all that differ.

    Returns
    -------
    instance, counterpart : Tensor, shape (n, d), in x's type
        The biased instance, and a counterpart of it whose class is too far from its own.
    found : Tensor of bool, shape (n,)
        Whether a biased instance was found.
    """
    first, place = predict(model, x), torch.zeros_like(x[:, :1])
    before, after = torch.zeros_like(place), torch.ones_like(place)
    dissenter = torch.full_like(first, -1)

    def on_the_way(share: Tensor, rows: Tensor) -> Tensor:
        origin = x[rows]
        points = torch.lerp(origin, end[rows], share.expand_as(origin))
        return space.round(space.project(points, origin), origin)

    for step in range(HALVINGS):
        rows = (dissenter < 0).nonzero()[:, 0]
        if not len(rows):
            break
        share = (before, after)[step][rows] if step < 2 else (before[rows] + after[rows]) / 2
        points = on_the_way(share, rows)
        own, others = decide(model, points, counterparts)
        too_far = condition.apart(own.unsqueeze(1), others) > condition.allowed(
            points, counterparts
        )
        differs = too_far & counterparts.valid(points)
        biased = differs.any(dim=1)
        dissenter[rows[biased]] = differs[biased].to(torch.int8).argmax(dim=1)
        place[rows[biased]] = share[biased]
        if step >= 2:
            as_before = (own == first[rows]).unsqueeze(1)
            before[rows] = torch.where(as_before, share, before[rows])
            after[rows] = torch.where(as_before, after[rows], share)
    instance = on_the_way(place, torch.arange(len(x), device=x.device))
    rows = ((place > 0) & (place < 1)).nonzero()[:, 0]
    if len(rows):
        start = place[rows]
        points = torch.stack([on_the_way(start + (1 - start) * share, rows) for share in FURTHER])
        clear, others = _clearest(model, points.flatten(0, 1), counterparts, condition)
        clearest, which = clear.view(len(FURTHER), -1).max(dim=0)
        better = (clearest > 0).nonzero()[:, 0]
        which = which[better]
        instance[rows[better]] = points[which, better]
        dissenter[rows[better]] = others.view(len(FURTHER), -1)[which, better]
    return instance, counterparts.take(instance, dissenter), dissenter >= 0


def _clearest(
    model: Classifier, x: Tensor, counterparts: Counterparts, condition: Lipschitz
) -> tuple[Tensor, Tensor]:
    """Return by which margin a counterpart is decided otherwise than v, and its row of the grid.

    The margin, shape (n,), float64, is the smaller of two: that of v's class at v, and that of
    another class at the counterpart. It is not above 0 if nobody's class is too far from v's.
    """
    scores = own_scores(model, x)
    first = scores.argmax(dim=1)
    own = -Margin().value(scores, first)
    classes = torch.arange(scores.shape[1], device=x.device)
    farthest = condition.apart(first.unsqueeze(1), classes).amax(dim=1, keepdim=True)
    allowed = condition.allowed(x, counterparts).expand(len(x), len(counterparts))
    against, row = worst_of_all(model, x, first, counterparts, Margin(), among=farthest > allowed)
    decided = predict(model, counterparts.take(x, row))
    limit = allowed.gather(1, row.clamp_min(0).unsqueeze(1)).squeeze(1)
    too_far = condition.apart(first, decided) > limit
    return torch.minimum(own, against).masked_fill(~too_far, -torch.inf), row
