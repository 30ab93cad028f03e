"""Square: random search for models without gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.query import QueryAttack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.problem.searching import Draw

__all__ = ["Square"]

# Share of the features that a proposal changes at first, and the shares of the budget after which
# it is halved: the source's schedule for the side of its squares.
FIRST_SHARE = 0.8
HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
# Chance that a proposal changes every feature, whatever the schedule: trees have local optima.
ALL_FEATURES = 0.25
# Chance that a changed value is an end of its range; otherwise it lies anywhere between the ends.
ENDS = 0.5


@dataclass(frozen=True)
class Square(QueryAttack):
    """Change some features at random, to an end of their range or anywhere in it; keep what helps.

    The attack moves numbers, steps of a lattice and levels that may switch alike. The source draws
    squares of pixels. Features have no neighbours, so a random set of them is drawn here; the set
    gets smaller as the budget is spent.

    Parameters
    ----------
    queries, target, random_state, batch_size : see ``QueryAttack``.

    Source: Andriushchenko, Croce, Flammarion and Hein, ECCV 2020, Algorithm 1.
    """

    family: ClassVar[str] = "square"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "square-af": {"target": "accurate_fair"},
        "square-acc": {"target": "accurate"},
        "square-if": {"target": "fair"},
    }

    def propose(self, draw: Draw) -> Tensor:
        """Change a random set of features of the best point."""
        order, kind, place = draw.numbers[:, 1:].chunk(3, dim=1)
        order = torch.where(draw.movable, order, 2.0)
        last = order.sort(dim=1).values.gather(1, _n_changed(draw) - 1)
        last = torch.where(draw.numbers[:, :1] < ALL_FEATURES, 1.0, last)
        end = (place >= 0.5).to(place.dtype)
        share = torch.where(kind < ENDS, end, place)
        return torch.where(order <= last, torch.lerp(draw.low, draw.high, share), draw.here)


def _n_changed(draw: Draw) -> Tensor:
    """Return how many features the schedule changes at this share of the budget, shape (n, 1)."""
    schedule = torch.tensor(HALVED_AT, dtype=draw.spent.dtype, device=draw.spent.device)
    halvings = (draw.spent >= schedule).sum(dim=1, keepdim=True)
    n_movable = int(draw.movable.sum())
    return (n_movable * FIRST_SHARE * 0.5**halvings).round().clamp(1, n_movable).long()
