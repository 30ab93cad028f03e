"""The predictions and scores of a model, for v itself and for everyone in I(v)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.problem.batching import AUTO, BatchSize, forward_rows, rows_per_call
from rafair.problem.combinations import tiles

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["counterpart_scores", "decide", "own_scores", "predict"]


def predict(model: Classifier, x: Tensor, batch_size: BatchSize = AUTO) -> Tensor:
    """Return f(x): the class with the largest score, the first one on a tie; shape (n,), int64."""
    return own_scores(model, x, batch_size).argmax(dim=1)


def own_scores(model: Classifier, x: Tensor, batch_size: BatchSize = AUTO) -> Tensor:
    """Return the scores of each v itself, shape (n, k), in the model's type."""
    size = rows_per_call(batch_size, model)
    return torch.cat([forward_rows(model, rows) for rows in torch.split(x, size)])


def counterpart_scores(
    model: Classifier, x: Tensor, counterparts: Counterparts, batch_size: BatchSize = AUTO
) -> Tensor:
    """Return the scores of everyone in I(v), shape (n, m, k), in the model's type."""
    people = x.to(model.device, model.dtype)
    pieces = tiles(len(x), len(counterparts), rows_per_call(batch_size, model))
    parts = [
        forward_rows(model, counterparts.rows(people[seeds], combinations))
        for seeds, combinations in pieces
    ]
    return torch.cat(parts).view(len(x), len(counterparts), -1)


def decide(
    model: Classifier, x: Tensor, counterparts: Counterparts, batch_size: BatchSize = AUTO
) -> tuple[Tensor, Tensor]:
    """Return f(v), shape (n,), and f(v') for every v' in I(v), shape (n, m); int64."""
    scores = counterpart_scores(model, x, counterparts, batch_size)
    return predict(model, x, batch_size), scores.argmax(dim=2)
