"""From the scores of everyone who is asked to the scores of their consensus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ABSTAINING", "RULES", "Rule", "joined", "margin_shares", "votes"]

Rule: TypeAlias = Literal["majority", "mean", "own-or-abstain"]
# The rule that has one more class, the last one: no answer.
ABSTAINING = "own-or-abstain"


def mean(scores: Tensor, asked: Tensor, *, are_logits: bool) -> Tensor:
    """Return the mean of the logits, or the logarithm of the mean probability; (n, k).

    The sum has a fixed order, so that its bits do not depend on the batch: ``Tensor.sum`` adds the
    numbers of a row in another order when n changes.
    """
    values = scores if are_logits else torch.softmax(scores, dim=2)
    values = torch.where(asked.unsqueeze(2), values, 0.0).cumsum(dim=1)[:, -1]
    values = values / asked.sum(dim=1, keepdim=True)
    return values if are_logits else values.clamp_min(torch.finfo(values.dtype).tiny).log()


def majority(scores: Tensor, asked: Tensor, *, are_logits: bool) -> Tensor:  # noqa: ARG001
    """Return scores of which the largest is that of the class with most votes; (n, k).

    For two classes they are 0 and the median of z₁ − z₀ (of an even number the smaller of the two
    in the middle), which is positive exactly where more than half vote for class 1; for more
    classes they are ``votes``. So both can be differentiated.
    """
    if scores.shape[2] > 2:
        return votes(scores, asked)
    lead = torch.where(asked, scores[:, :, 1] - scores[:, :, 0], torch.nan)
    middle = lead.nanmedian(dim=1).values
    return torch.stack([torch.zeros_like(middle), middle], dim=1)


def own_or_abstain(scores: Tensor, asked: Tensor, *, are_logits: bool) -> Tensor:  # noqa: ARG001
    """Return for each class its smallest lead over the others, and 0 for no answer; (n, k + 1).

    A class has the largest score exactly where everyone who is asked gets it.
    """
    top, place = scores.topk(2, dim=2)
    chosen = torch.nn.functional.one_hot(place[:, :, 0], scores.shape[2]) > 0
    rivals = torch.where(chosen, top[:, :, 1:], top[:, :, :1])
    lead = torch.where(asked.unsqueeze(2), scores - rivals, torch.inf).amin(dim=1)
    first = scores.argmax(dim=2)
    agree = ((first == first.gather(1, asked.int().argmax(dim=1, keepdim=True))) | ~asked).all(1)
    # Equal scores can make the smallest lead of a class 0 that not everyone gets.
    silence = torch.where(agree, 0.0, lead.detach().amax(dim=1).clamp_min(0) + 1e-9)
    return torch.cat([lead, silence.to(lead.dtype).unsqueeze(1)], dim=1)


RULES: dict[str, Callable[..., Tensor]] = {
    "majority": majority,
    "mean": mean,
    ABSTAINING: own_or_abstain,
}


def joined(rule: str, scores: Tensor, asked: Tensor, *, are_logits: bool) -> Tensor:
    """Return the scores of the consensus, shape (n, k), or (n, k + 1) if the rule may abstain.

    Parameters
    ----------
    rule : {"majority", "mean", "own-or-abstain"}
    scores : Tensor, shape (n, m, k), float64
    asked : Tensor of bool, shape (n, m)
        Whose scores count.
    are_logits : bool
        Whether the mean is that of the scores themselves; else that of their probabilities.
    """
    return RULES[rule](scores, asked, are_logits=are_logits)


def votes(scores: Tensor, asked: Tensor) -> Tensor:
    """Return the share of those who are asked that each class gets, shape (n, k), float64.

    Of more than two classes each also gets a part of half a vote, as large as its mean probability,
    so that the more probable one of equal shares leads.
    """
    found = torch.nn.functional.one_hot(scores.argmax(dim=2), scores.shape[2]).to(torch.float64)
    count = (found * asked.unsqueeze(2)).sum(dim=1)
    if scores.shape[2] > 2:
        count = count + mean(scores, asked, are_logits=False).exp() / 2
    return count / count.sum(dim=1, keepdim=True)


def margin_shares(scores: Tensor, asked: Tensor) -> Tensor:
    """Return the share of each class in votes that weigh as much as their margins, (n, k).

    The margin of a vote is the lead of its class over the next. Without any lead all shares are
    equal.
    """
    top, place = scores.topk(2, dim=2)
    lead = torch.where(asked, top[:, :, 0] - top[:, :, 1], 0.0).unsqueeze(2)
    found = torch.nn.functional.one_hot(place[:, :, 0], scores.shape[2]) * lead
    weights = found.cumsum(dim=1)[:, -1]  # in a fixed order, as in ``mean``
    whole = weights.sum(dim=1, keepdim=True)
    return torch.where(whole > 0, weights / whole, 1 / scores.shape[2])
