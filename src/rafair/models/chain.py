"""A plain network, linear layers with activations between them, to which layers are appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Chain", "NotAChain", "linear_layer"]


def linear_layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a float64 layer with these weights, without gradients; it draws no random numbers."""
    n_out, n_in = weight.shape
    layer: nn.Linear = skip_init(nn.Linear, n_in, n_out, dtype=torch.float64)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer.requires_grad_(requires_grad=False)


class NotAChain(Exception):  # noqa: N818 - no error: the model is used unchanged
    """A model contains an operation that is neither linear nor an activation of one number."""


class Chain:
    """A network to which layers are appended; consecutive linear layers become one, in float64.

    Parameters
    ----------
    width : int
        Number of columns that the network reads.
    front : sequence of torch.nn.Module
        Linear layers and activations with which the network begins.
    """

    def __init__(self, width: int, front: Sequence[nn.Module] = ()) -> None:
        self.done: list[nn.Module] = []
        self._restart(width)
        for layer in front:
            self.layer(layer)

    @property
    def width(self) -> int:
        """Number of columns that the network returns so far."""
        return len(self.offset)

    def _restart(self, width: int) -> None:
        self.matrix = torch.eye(width, dtype=torch.float64)
        self.offset = torch.zeros(width, dtype=torch.float64)

    def layer(self, layer: nn.Module) -> None:
        """Append a linear layer, or an activation."""
        if isinstance(layer, nn.Linear):
            self.linear(layer.weight.detach().double(), layer.bias.detach().double())
        else:
            self.activated(layer)

    def linear(self, matrix: Tensor, offset: Tensor) -> None:
        """Append the layer matrix · columns + offset."""
        if matrix.shape[1] != self.width:
            raise NotAChain
        self.matrix, self.offset = matrix @ self.matrix, matrix @ self.offset + offset

    def scaled(self, factor: Tensor, offset: Tensor) -> None:
        """Append factor · column + offset for each column, both of shape (columns,)."""
        self.matrix, self.offset = self.matrix * factor[:, None], self.offset * factor + offset

    def activated(self, activation: nn.Module) -> None:
        """Append an activation, which changes each column by itself."""
        self.done += [self._last(), activation]
        self._restart(self.width)

    def _last(self) -> nn.Linear:
        return linear_layer(self.matrix, self.offset)

    def module(self, dtype: torch.dtype) -> nn.Sequential:
        """Return the network, which ends in a linear layer; its weights need no gradient."""
        layers = nn.Sequential(*self.done, self._last()).to(dtype).eval()
        return layers.requires_grad_(requires_grad=False)
