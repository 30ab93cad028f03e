"""Find the sensitive change that flips a decision, and the counterpart with the largest loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.fairness import share_of_others
from rafair.fairness.decisions import counterpart_scores, own_scores
from rafair.problem import AUTO, SAME, BatchSize, make_loss

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """The counterparts that explain the verdicts on n instances, as rows of the grid of I(v).

    Attributes
    ----------
    prediction : Tensor of int64, shape (n,)
        f(v).
    flip : Tensor of int64, shape (n,)
        The counterpart whose prediction differs from f(v) after the smallest sensitive change:
        fewest attributes first, then the smallest l1 distance in unit space, then the lowest row.
        −1 if no counterpart's prediction differs, that is, if the instance is fair (K = 0).
    flip_prediction : Tensor of int64, shape (n,)
        The prediction for this counterpart; f(v) where ``flip`` is −1.
    worst : Tensor of int64, shape (n,)
        The counterpart with the largest loss, the lowest row on a tie; −1 for v itself, if no
        combination of the grid is a counterpart.
    worst_prediction : Tensor of int64, shape (n,)
        The prediction for this person.
    worst_loss : Tensor, shape (n,), float64
        Its loss.
    dissenting : Tensor, shape (n,), float64
        Share of v's counterparts whose prediction differs from f(v), in [0, 1].
    """

    prediction: Tensor
    flip: Tensor
    flip_prediction: Tensor
    worst: Tensor
    worst_prediction: Tensor
    worst_loss: Tensor
    dissenting: Tensor


def explain(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    loss: str | Loss = "mse",
    *,
    batch_size: BatchSize = AUTO,
) -> Explanation:
    """Explain n instances at once.

    Parameters
    ----------
    model : Classifier
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
        Ground truth.
    counterparts : Counterparts
    loss : {"mse", "cross_entropy", "margin"} or Loss
        It decides which counterpart is the worst.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Returns
    -------
    Explanation

    Raises
    ------
    InvalidInput
        If the loss is unknown, or a score is NaN or infinite.
    """
    chosen = make_loss(loss)
    parts = [
        _explain_block(model, x[block], y[block], counterparts, chosen, batch_size)
        for block in counterparts.blocks(len(x))
    ]
    names = Explanation.__dataclass_fields__
    return Explanation(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _explain_block(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    loss: Loss,
    batch_size: BatchSize,
) -> Explanation:
    n, m = len(x), len(counterparts)
    scores = counterpart_scores(model, x, counterparts, batch_size).to(torch.float64)
    mine = own_scores(model, x, batch_size).to(torch.float64)
    own, others = mine.argmax(dim=1), scores.argmax(dim=2)
    possible = counterparts.valid(x)
    differs = (others != own.unsqueeze(1)) & possible
    effort = _effort(x, counterparts).masked_fill(~differs, torch.inf)
    flip = effort.argmin(dim=1).masked_fill(~differs.any(dim=1), -1)
    losses = loss.value(scores.flatten(0, 1), y.repeat_interleave(m)).view(n, m)
    losses = losses.masked_fill(~possible, -torch.inf)
    is_alone = ~possible.any(dim=1)
    worst = losses.argmax(dim=1)
    return Explanation(
        prediction=own,
        flip=flip,
        flip_prediction=torch.where(flip < 0, own, _at(others, flip.clamp_min(0))),
        worst=worst.masked_fill(is_alone, -1),
        worst_prediction=torch.where(is_alone, own, _at(others, worst)),
        worst_loss=torch.where(is_alone, loss.value(mine, y), _at(losses, worst)),
        dissenting=share_of_others(differs, x, counterparts),
    )


def _effort(x: Tensor, counterparts: Counterparts) -> Tensor:
    """Return the size of each sensitive change, shape (n, m), float64.

    The number of changed attributes counts first, then the l1 distance, which is below s + 1.
    """
    own = x[:, list(counterparts.columns)].to(torch.float64)
    others = counterparts.expand(x.to(torch.float64))[:, :, list(counterparts.columns)]
    # A number that is missing lies outside [0, 1], one unit or more from all others.
    moved = (own.unsqueeze(1) - others).abs().clamp_max(1.0)
    changed = (moved > SAME).sum(dim=2)
    return changed * (moved.shape[2] + 1) + moved.sum(dim=2)


def _at(matrix: Tensor, column: Tensor) -> Tensor:
    return matrix.gather(1, column.unsqueeze(1)).squeeze(1)
