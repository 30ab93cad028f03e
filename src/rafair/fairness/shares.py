"""The graded figure beside IF: the share of a person's counterparts that are decided otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import decide
from rafair.problem import AUTO, BatchSize

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["dissenting", "share_of_others"]


def dissenting(
    model: Classifier, x: Tensor, counterparts: Counterparts, batch_size: BatchSize = AUTO
) -> Tensor:
    """Return the share of each person's counterparts whose class differs from the person's.

    With K = 0 it is 0 exactly where the judge calls the person fair. Its mean over people is the
    flip rate of counterfactual fairness tests.

    Parameters
    ----------
    model : Classifier
    x : Tensor, shape (n, d), unit space
    counterparts : Counterparts
        I(v). v itself does not count; whoever has no other counterpart gets 0.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Returns
    -------
    Tensor, shape (n,), float64, in [0, 1]
    """
    shares = []
    for block in counterparts.blocks(len(x)):
        own, others = decide(model, x[block], counterparts, batch_size)
        shares.append(share_of_others(others != own.unsqueeze(1), x[block], counterparts))
    return torch.cat(shares)


def share_of_others(events: Tensor, x: Tensor, counterparts: Counterparts) -> Tensor:
    """Return the share of v's counterparts other than v with an event, (n, m); (n,), float64."""
    others = counterparts.valid(x) & ~counterparts.is_self(x)
    return (events & others).sum(dim=1) / others.sum(dim=1).clamp_min(1).to(torch.float64)
