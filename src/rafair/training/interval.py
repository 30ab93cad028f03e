"""Interval bounds of a ReLU network that can be differentiated, for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["dense", "interval_margins"]


def dense(network: nn.Sequential) -> list[nn.Linear]:
    """Return the linear layers of a network, in order."""
    return [layer for layer in network if isinstance(layer, nn.Linear)]


def interval_margins(network: nn.Sequential, low: Tensor, high: Tensor, y: Tensor) -> Tensor:
    """Return lower bounds of z_y − z_j over boxes, for every class j; shape (n, k).

    The last layer and the difference are bounded together, which is tighter than the difference of
    two bounds.

    Parameters
    ----------
    network : Sequential of Linear and ReLU
    low, high : Tensor, shape (n, d)
        Corners of the boxes.
    y : Tensor of int64, shape (n,)

    Returns
    -------
    Tensor, shape (n, k)
        The bound for j = y is 0.

    Source: Gowal et al., On the Effectiveness of Interval Bound Propagation (2018), equations 6, 7
    and 11.
    """
    *hidden, last = dense(network)
    centre, radius = (low + high) / 2, (high - low) / 2
    for layer in hidden:
        centre = functional.linear(centre, layer.weight, layer.bias)
        radius = functional.linear(radius, layer.weight.abs())
        low, high = (centre - radius).relu(), (centre + radius).relu()
        centre, radius = (low + high) / 2, (high - low) / 2
    weight = last.weight[y].unsqueeze(1) - last.weight
    bias = last.bias[y].unsqueeze(1) - last.bias
    at_centre = torch.einsum("nkh,nh->nk", weight, centre) + bias
    return at_centre - torch.einsum("nkh,nh->nk", weight.abs(), radius)
