"""The member of I(v) with the largest loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.fairness.decisions import counterpart_scores, own_scores
from rafair.problem import AUTO, BatchSize

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss

__all__ = ["worst_of_all"]


def worst_of_all(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    loss: Loss,
    batch_size: BatchSize = AUTO,
    *,
    among: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the largest loss over I(v), v included, and the person who has it.

    Parameters
    ----------
    model : Classifier
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
        Ground truth.
    counterparts : Counterparts
    loss : Loss
    batch_size : int or "auto"
    among : Tensor of bool, shape (n, m), optional
        Leave the other combinations out; v itself stays.

    Returns
    -------
    loss : Tensor, shape (n,), float64
    row : Tensor of int64, shape (n,)
        Row of the grid of I(v), the first one on a tie; −1 if v's own loss exceeds that of every
        row.
    """
    losses, whose = [], []
    for block in counterparts.blocks(len(x)):
        people, labels = x[block], y[block]
        scores = counterpart_scores(model, people, counterparts, batch_size)
        n, m, k = scores.shape
        others = loss.value(scores.view(n * m, k), labels.repeat_interleave(m)).view(n, m)
        counts = counterparts.valid(people)
        if among is not None:
            counts &= among[block]
        others = others.masked_fill(~counts, -torch.inf)
        own = loss.value(own_scores(model, people, batch_size), labels)
        largest, row = others.max(dim=1)
        losses.append(torch.maximum(largest, own))
        whose.append(row.masked_fill(own > largest, -1))
    return torch.cat(losses), torch.cat(whose)
