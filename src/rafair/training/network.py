"""The network that is trained: small initial weights, blind to some columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from rafair.models import fcnn
from rafair.training.interval import dense

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["forget", "fresh_network"]

# Half of the usual scale (He): interval bounds grow with the weights, layer by layer, and from the
# usual scale certified training often ended in the constant model. From a quarter of it the scores
# of a deep network hardly depend on the person, so that some hundred steps change nothing (both
# measured).
SCALE = 0.5


def fresh_network(
    n_features: int, n_classes: int, hidden: Sequence[int], generator: torch.Generator
) -> nn.Sequential:
    """Return a network with hidden layers of these widths and random weights in float32."""
    network = fcnn(n_features, n_classes, hidden)
    with torch.no_grad():
        for layer in dense(network):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            layer.weight.mul_(SCALE)
            layer.bias.zero_()
    return network


def forget(network: nn.Sequential, columns: Sequence[int]) -> None:
    """Set the first layer's weights of some inputs to 0, so that no score depends on them."""
    with torch.no_grad():
        dense(network)[0].weight[:, list(columns)] = 0.0
