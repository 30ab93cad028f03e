"""R-IF: a biased instance between a person and a point where somebody is decided otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.fairness import decide, worst_of_all
from rafair.fairness.decisions import own_scores, predict
from rafair.problem.losses import Margin

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["find_dissent"]

# Until the ends of a way differ by rounding only.
HALVINGS = 50
# Shares of the rest of the way at which a clearer instance is looked for.
FURTHER = (0.0, 1e-8, 1e-6, 1e-4, 1e-2, 0.1)


def find_dissent(
    model: Classifier, x: Tensor, end: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> tuple[Tensor, Tensor, Tensor]:
    """Find a biased instance on the way from each seed to a point where someone is decided anew.

    Where neither end is biased, all of I(v) has one class at the seed and another at the end: the
    way is halved until an instance on it is biased. Unless everyone turns at once, there is one. Of
    some instances further on the one is taken that is biased by the largest margins: the first may
    be so in the last bit only.

    Returns
    -------
    instance, counterpart : Tensor, shape (n, d), in x's type
        The biased instance, and a member of its I(v) that is decided otherwise than itself.
    found : Tensor of bool, shape (n,)
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
        differs = (others != own.unsqueeze(1)) & counterparts.valid(points)
        biased = differs.any(dim=1)
        dissenter[rows[biased]] = differs[biased].to(torch.int8).argmax(dim=1)
        place[rows[biased]] = share[biased]
        if step >= 2:
            as_before = (own == first[rows]).unsqueeze(1)
            before[rows] = torch.where(as_before, share, before[rows])
            after[rows] = torch.where(as_before, after[rows], share)
    instance = on_the_way(place, torch.arange(len(x), device=x.device))
    rows = ((place > 0) & (place < 1)).nonzero()[:, 0]
    clearest = torch.zeros(len(rows), dtype=torch.float64, device=x.device)
    for further in FURTHER if len(rows) else ():
        points = on_the_way(place[rows] + (1 - place[rows]) * further, rows)
        clear, other = _clearest(model, points, counterparts)
        better = clear > clearest
        instance[rows[better]], dissenter[rows[better]] = points[better], other[better]
        clearest = torch.maximum(clear, clearest)
    return instance, counterparts.take(instance, dissenter), dissenter >= 0


def _clearest(model: Classifier, x: Tensor, counterparts: Counterparts) -> tuple[Tensor, Tensor]:
    """Return how clearly someone in I(v) is decided otherwise than v, and who: a row of the grid.

    The first is the smaller of two margins, shape (n,), float64: of v's class at v, and against it
    at the counterpart; not above 0 where nobody is decided otherwise.
    """
    first = predict(model, x)
    own = -Margin().value(own_scores(model, x), first)
    against, row = worst_of_all(model, x, first, counterparts, Margin())
    return torch.minimum(own, against), row
