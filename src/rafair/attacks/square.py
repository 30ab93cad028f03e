"""Square: random search for models without gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.errors import InvalidInput
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.searching import TARGETS, Draw, Search, random_search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["Square"]

# Share of the features that a proposal changes at first, and where in the budget it is halved: the
# source's schedule for the side of its squares.
FIRST_SHARE = 0.8
HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
# How often a proposal changes every feature, whatever the schedule says: trees have local ends.
AFRESH = 0.25
# How often a changed value is an end of its range; else it lies anywhere between the ends.
ENDS = 0.5


@dataclass(frozen=True)
class Square:
    """Change some features at random, to an end of their range or anywhere in it; keep what helps.

    It asks for scores (or labels) of single rows only, and moves numbers, steps of a lattice and
    levels that may switch alike. The source draws squares of pixels; features have no neighbours,
    so a random set of them is drawn, ever fewer as the budget is spent.

    Parameters
    ----------
    queries : int
        Rows to ask about for each seed; a point costs three, v and two counterparts (v
        alone for the target accurate).
    target : {"accurate_fair", "accurate", "fair"}
        Find a point where somebody in I(v) is decided wrongly, v is, or people are decided
        otherwise than others.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Andriushchenko, Croce, Flammarion and Hein, ECCV 2020, Algorithm 1.
    """

    queries: int = 5_000
    target: str = "accurate_fair"
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "square"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2020
    gradients: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "square-af": {"target": "accurate_fair"},
        "square-acc": {"target": "accurate"},
        "square-if": {"target": "fair"},
    }

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InvalidInput(f"unknown target {self.target!r}; use one of {', '.join(TARGETS)}")

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once.

        Parameters
        ----------
        model : Classifier of any access.
        x : Tensor, shape (n, d), unit space. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: at most ``queries`` forward
        rows for each seed.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or ``space`` lets a sensitive feature move.
        """
        search = Search(
            TARGETS[self.target], _change_some, self.queries, self.random_state, self.batch_size
        )
        return random_search(search, model, x, y, counterparts, space)


def _change_some(draw: Draw) -> Tensor:
    schedule = torch.tensor(HALVED_AT, dtype=draw.spent.dtype, device=draw.spent.device)
    halvings = (draw.spent >= schedule).sum(dim=1, keepdim=True)
    most = int(draw.movable.sum())
    count = (most * FIRST_SHARE * 0.5**halvings).round().clamp(1, most).long()
    order, kind, place = draw.numbers[:, 1:].chunk(3, dim=1)
    order = torch.where(draw.movable, order, 2.0)
    last = order.sort(dim=1).values.gather(1, count - 1)
    last = torch.where(draw.numbers[:, :1] < AFRESH, 1.0, last)
    end = (place >= 0.5).to(place.dtype)
    share = torch.where(kind < ENDS, end, place)
    return torch.where(order <= last, torch.lerp(draw.low, draw.high, share), draw.here)
