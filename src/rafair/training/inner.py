"""The inner maximum of adversarial training: projected sign ascent inside a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["STEPS", "ascended"]

STEPS = 5
# The step is this share of the box's half width, divided by the number of steps.
TOTAL = 2.5


def ascended(
    loss: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Return points of the boxes with a large loss, shape (n, d).

    Parameters
    ----------
    loss : callable
        Takes points, (n, d), and returns the loss of each, (n,).
    low, high : Tensor, shape (n, d)
    generator : torch.Generator
        Of the random starts.

    Source: Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks (2018).
    """
    step = TOTAL / STEPS * (high - low) / 2
    point = low + (high - low) * torch.rand(low.shape, generator=generator)
    for _ in range(STEPS):
        point.requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(point).sum(), point)
        moved = point.detach() + step * gradient.sign()
        point = torch.minimum(torch.maximum(moved, low), high)
    return point.detach()
