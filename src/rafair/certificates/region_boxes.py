"""Boxes of people of a region: who is in them, and what is answered about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rafair.schema import Schema

__all__ = [
    "DECIDED",
    "NOBODY",
    "NO_START",
    "REASONS",
    "SPENT",
    "BoxAnswer",
    "BoxPeople",
    "nearest_possible",
    "spacing_of",
]

# Why a box is undecided, by ``BoxAnswer.reason``.
REASONS = (
    None,
    "the budget was spent",
    "no possible person was found in the box",
    "the pair found starts from no possible person of the region",
)
DECIDED, SPENT, NOBODY, NO_START = range(4)


@dataclass(frozen=True, eq=False)
class BoxAnswer:
    """The answer for one box.

    Attributes
    ----------
    status : int
        1 fair everywhere, −1 somebody is treated otherwise than a counterpart, 0 undecided.
    reason : int
        Position in ``REASONS``.
    nodes : int
        Number of boxes that branch and bound bounded.
    pair : Tensor, shape (3, d), float32, unit space
        With a witness: a person of the box, the person after a change in Δ (the same without Δ),
        and the counterpart of the latter that is decided otherwise. NaN without.
    """

    status: int
    reason: int
    nodes: int
    pair: Tensor


@dataclass(frozen=True, eq=False)
class BoxPeople:
    """The people of one box.

    Attributes
    ----------
    low, high : Tensor, shape (d,), float64, unit space
        Possible values; sensitive columns are ignored.
    allowed : Tensor of bool, shape (m,)
        Which combinations of I(v) a person of the box may have; see ``RegionQuestion.allowed``.
    known : Tensor, shape (n, d), unit space
        People of the data in the box.
    """

    low: Tensor
    high: Tensor
    allowed: Tensor
    known: Tensor


def spacing_of(schema: Schema) -> Tensor:
    """Return the distance of neighbouring possible values of each feature, (d,), float64."""
    return torch.tensor([feature.spacing for feature in schema.features], dtype=torch.float64)


def nearest_possible(x: Tensor, low: Tensor, high: Tensor, schema: Schema) -> Tensor:
    """Return the nearest possible values in a box with possible corners, (n, d), float32."""
    inside = torch.minimum(torch.maximum(x.to(torch.float64), low), high)
    spacing = spacing_of(schema)
    unit = torch.where(spacing > 0, spacing, 1.0)
    rounded = torch.where(spacing > 0, torch.round(inside / unit) * unit, inside)
    return rounded.to(torch.float32)
