"""Looks for somebody whose counterpart is decided otherwise: among people, and between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import counterpart_scores, predict
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import Margin

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["corners", "dissenters"]

# Rows that the model is asked about at once, and the fewest people that it is asked about.
ROWS, FEWEST = 2_048, 48
# After this number of halvings two people differ by hardly more than one possible value.
HALVINGS = 12


def dissenters(
    model: Classifier,
    x: Tensor,
    counterparts: Counterparts,
    possible: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return people who have counterparts of different classes.

    If there is nobody among x, the way from people of one class to people of another is halved:
    somewhere on it all classes change, and seldom all at the same point.

    Parameters
    ----------
    x : Tensor, shape (n, d), unit space
        Only as many of them are looked at as the model can be asked about at once.
    possible : callable
        From points between people to possible people near them, (n, d).

    Returns
    -------
    Tensor, shape (k, d)
        Nobody where none was found. Whether these counterparts exist is not looked at.
    """
    x = x[: max(FEWEST, ROWS // len(counterparts))]
    own, differ = _classes(model, x, counterparts)
    if bool(differ.any()):
        return x[differ]
    first = own[:1]
    before, after = x[own == first], x[own != first]
    turn = torch.arange(len(x) if len(after) else 0, device=x.device)
    before, after = before[turn % len(before)], after[turn % max(len(after), 1)]
    for _ in range(HALVINGS if len(turn) else 0):
        middle = possible((before + after) / 2)
        own, differ = _classes(model, middle, counterparts)
        if bool(differ.any()):
            return middle[differ]
        as_before = (own == first).unsqueeze(1)
        before, after = (
            torch.where(as_before, middle, before),
            torch.where(as_before, after, middle),
        )
    return x[:0]


def corners(model: Classifier, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the corners of a box towards which the margins of some people fall, and rise.

    Parameters
    ----------
    x : Tensor, shape (n, d), unit space
    low, high : Tensor, shape (d,)

    Returns
    -------
    Tensor, shape (2·n, d)
        Nobody where the model has no gradients.
    """
    if model.access != "gradient":
        return x[:0]
    rises = gradient_directions(model, x, predict(model, x), Margin()) > 0
    ends = (torch.where(rises, high, low), torch.where(rises, low, high))
    return torch.cat(ends).to(x.dtype)


def _classes(model: Classifier, x: Tensor, counterparts: Counterparts) -> tuple[Tensor, Tensor]:
    """Return the class of each person's first combination, and whether another has another."""
    decided = counterpart_scores(model, x, counterparts).argmax(dim=2)
    return decided[:, 0], (decided != decided[:, :1]).any(dim=1)
