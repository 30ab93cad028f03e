"""Check that a converted model gives the same probabilities as the original."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.schema import Schema

__all__ = ["AGREEMENT", "check_agreement", "random_people", "unit_rows"]

# Largest difference in probability that is accepted.
AGREEMENT = 1e-5
ROWS = 1_000


def random_people(schema: Schema, n: int = ROWS, random_state: int = 0) -> Tensor:
    """Draw a possible value of each feature uniformly; shape (n, d), unit space, float64.

    The draws ignore relations between columns.
    """
    generator = torch.Generator().manual_seed(random_state)
    drawn = torch.rand(n, len(schema.features), dtype=torch.float64, generator=generator)
    columns = []
    for place, feature in enumerate(schema.features):
        numbers = feature.numbers(drawn[:, place])
        columns.append((numbers - feature.low) / (feature.span or 1.0))
    return torch.stack(columns, dim=1)


def unit_rows(width: int, n: int = ROWS, random_state: int = 0) -> Tensor:
    """Draw points of unit space uniformly, shape (n, width), float64."""
    generator = torch.Generator().manual_seed(random_state)
    return torch.rand(n, width, dtype=torch.float64, generator=generator)


def check_agreement(
    converted: Callable[[Tensor], Tensor],
    original: Callable[[Tensor], Tensor],
    x: Tensor,
    what: str,
) -> float:
    """Compare the probabilities of two models on unit-space rows x, shape (n, d).

    Parameters
    ----------
    converted : callable
        Takes rows and returns logits or log-probabilities, shape (n, k).
    original : callable
        Takes rows and returns probabilities, shape (n, k).
    x : Tensor, shape (n, d), unit space
    what : str
        Name of the model for the error message.

    Returns
    -------
    float
        The largest difference in probability.

    Raises
    ------
    InvalidInput
        If the difference is above 1e-5, or the shapes differ; the message names the row.
    """
    with torch.no_grad():
        ours = torch.softmax(converted(x).to(torch.float64), dim=1)
    theirs = original(x).to(torch.float64)
    if ours.shape != theirs.shape:
        raise InvalidInput(
            f"{what}: the converted model returns {tuple(ours.shape)}, "
            f"the original {tuple(theirs.shape)}"
        )
    apart = (ours - theirs).abs().amax(dim=1)
    worst = int(apart.argmax())
    if not bool(apart.max() <= AGREEMENT):
        raise InvalidInput(
            f"{what}: the converted model differs from the original by "
            f"{apart[worst].item():.2g} in probability on random row {worst}; it is not used; "
            "to ask the original for scores, wrap its predict_proba"
        )
    return float(apart[worst])
