"""A feed-forward network as float64 matrices, from which bounds are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.bounds.activations import RELU
from rafair.bounds.tracing import layers_of
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.bounds.bound import Bound
    from rafair.bounds.layering import Blocks, Linear
    from rafair.bounds.lookups import Lookups
    from rafair.kernels.network import Network
    from rafair.models import Classifier

__all__ = ["LayeredNetwork", "layered_network", "no_pattern", "why_not_layered"]


@dataclass(frozen=True, eq=False)
class LayeredNetwork:
    """Dense layers with an activation of each neuron between them.

    Attributes
    ----------
    weights : tuple of Tensor, shapes (n₁, d), (n₂, n₁), …, (k, n_last), float64
    biases : tuple of Tensor, shapes (n₁,), …, (k,), float64
    layers : tuple of tuples of (weight, bias)
        The linear layers that the model itself runs in the place of each of these; several where
        consecutive ones were merged.
    activations : tuple of tuples of (activation, width)
        Of each hidden layer: which activation how many neurons have, one after the other.
    lookups : Lookups, optional
        What the first layer reads beside the columns.
    dtype : torch.dtype, optional
        The coarsest type in which the model computes; by default that of its rows.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    layers: tuple[tuple[Linear, ...], ...]
    activations: tuple[Blocks, ...]
    lookups: Lookups | None = None
    dtype: torch.dtype | None = None

    @classmethod
    def of(
        cls,
        layers: Sequence[Sequence[Linear]],
        activations: Sequence[Blocks] = (),
        lookups: Lookups | None = None,
        dtype: torch.dtype | None = None,
    ) -> LayeredNetwork:
        """Merge consecutive linear layers, between which there is no activation."""
        merged = [_merged(several) for several in layers]
        weights, biases = zip(*merged, strict=True)
        return cls(weights, biases, tuple(map(tuple, layers)), tuple(activations), lookups, dtype)

    @cached_property
    def is_relu(self) -> bool:
        """Whether every activation is ReLU."""
        return all(kind is RELU for blocks in self.activations for kind, _ in blocks)

    @cached_property
    def packed(self) -> Network:
        """The weights in the form that the kernels read."""
        from rafair.kernels.network import packed

        pairs = zip(self.weights, self.biases, strict=True)
        return packed([(weight.numpy(), bias.numpy()) for weight, bias in pairs])

    @property
    def n_hidden(self) -> int:
        """Number of layers with activations."""
        return len(self.weights) - 1

    def reads(self, columns: Sequence[int]) -> bool:
        """Tell whether any of these columns can change a score; 0 times a number is nothing."""
        felt = torch.zeros(self.weights[0].shape[1], dtype=torch.bool)
        felt[list(columns) if self.lookups is None else self.lookups.inputs(columns)] = True
        for weight, _ in (linear for several in self.layers for linear in several):
            felt = (weight[:, felt.to(weight.device)] != 0).any(dim=1).cpu()
        return bool(felt.any())

    @property
    def cuts(self) -> tuple[tuple[int, Tensor, Tensor], ...]:
        """Columns, and the neighbouring numbers between which something else is looked up."""
        return () if self.lookups is None else self.lookups.cuts

    def inside(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes of the first layer's inputs around boxes of the columns, (n, d)."""
        return (low, high) if self.lookups is None else self.lookups.inside(low, high)

    def outside(self, bound: Bound, low: Tensor, high: Tensor) -> Bound:
        """Return bounds over ``inside`` of boxes as bounds over these boxes."""
        return bound if self.lookups is None else self.lookups.outside(bound, low, high)

    def hidden(self, x: Tensor) -> Tensor:
        """Return the input of the last layer for rows x (n, d), shape (n, width), float64."""
        x, _ = self.inside(x, x)
        layers = zip(self.weights[:-1], self.biases[:-1], self.activations, strict=True)
        for weight, bias, blocks in layers:
            x = torch.addmm(bias, x, weight.T)
            parts = torch.split(x, [width for _, width in blocks], dim=1)
            active = [kind.value(part) for (kind, _), part in zip(blocks, parts, strict=True)]
            x = active[0] if len(active) == 1 else torch.cat(active, dim=1)
        return x

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits of rows x (n, d), shape (n, k), float64."""
        return torch.addmm(self.biases[-1], self.hidden(x), self.weights[-1].T)


def no_pattern(network: LayeredNetwork, n: int) -> tuple[Tensor, ...]:
    """Return the pattern of n boxes in which every neuron may be unstable."""
    if not network.is_relu:
        return ()
    return tuple(
        torch.zeros(n, len(bias), dtype=torch.int8, device=bias.device)
        for bias in network.biases[:-1]
    )


def layered_network(model: Classifier) -> LayeredNetwork:
    """Read a torch module as linear layers with activations between them.

    Consecutive linear layers are merged. Piecewise linear activations become ReLU; they, batch
    normalisation and residual connections are rewritten, see ``layers_of``. What is looked up by a
    column is an input of its own, see ``Lookups``. A single logit z becomes the logits [0, z].

    Raises
    ------
    InvalidInput
        If the model is no torch network with logits, or has other parts.
    """
    body = getattr(model, "body", None)
    if getattr(model, "body_output", None) != "logits" or not isinstance(body, nn.Module):
        raise InvalidInput("certificates need a torch network that returns logits")
    found = layers_of(body, model.dtype, getattr(model, "n_columns", None))
    layers = [list(chain) for chain in found.chains]
    weight, bias = layers[-1][-1]
    if len(weight) == 1:
        logits = torch.cat([torch.zeros_like(weight), weight])
        layers[-1][-1] = (logits, torch.cat([torch.zeros_like(bias), bias]))
    return LayeredNetwork.of(layers, found.activations, found.lookups, found.dtype)


def why_not_layered(model: Classifier) -> str | None:
    """Return why ``layered_network`` refuses a model; None if it does not."""
    try:
        layered_network(model)
    except InvalidInput as error:
        return str(error)
    return None


def _merged(layers: Sequence[Linear]) -> Linear:
    """Multiply the matrices of consecutive linear layers."""
    whole, offset = layers[0]
    for weight, bias in layers[1:]:
        whole, offset = weight @ whole, torch.mv(weight, offset) + bias
    return whole, offset
