"""A feed-forward ReLU network as float64 matrices, from which bounds are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.errors import InvalidInput
from rafair.models.chain import linear_layer

if TYPE_CHECKING:
    from rafair.models import Classifier

__all__ = ["ReluNetwork", "relu_network", "why_no_relu_network"]

# Layers that change nothing in evaluation mode.
IDLE = (nn.Identity, nn.Dropout)


@dataclass(frozen=True, eq=False)
class ReluNetwork:
    """Dense layers with ReLU between them.

    Attributes
    ----------
    weights : tuple of Tensor, shapes (n₁, d), (n₂, n₁), …, (k, n_last), float64
    biases : tuple of Tensor, shapes (n₁,), …, (k,), float64
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @property
    def n_hidden(self) -> int:
        """Number of layers with a ReLU."""
        return len(self.weights) - 1

    def hidden(self, x: Tensor) -> Tensor:
        """Return the input of the last layer for rows x (n, d), shape (n, width), float64."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = torch.addmm(bias, x, weight.T).relu()
        return x

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits of rows x (n, d), shape (n, k), float64."""
        return torch.addmm(self.biases[-1], self.hidden(x), self.weights[-1].T)


def relu_network(model: Classifier) -> ReluNetwork:
    """Read the matrices of a torch ``Sequential`` of linear layers and ReLU.

    Nested ``Sequential`` modules are flattened, ``Identity`` and ``Dropout`` are skipped, and
    consecutive linear layers are merged. A single logit z becomes the logits [0, z].

    Raises
    ------
    InvalidInput
        If the model is no torch network with logits, or its layers are not linear layers with one
        ReLU between them.
    """
    body = getattr(model, "body", None)
    if getattr(model, "body_output", None) != "logits" or not isinstance(body, nn.Module):
        raise InvalidInput("certificates need a torch network that returns logits")
    layers = _merged([layer for layer in _flattened(body) if not isinstance(layer, IDLE)])
    linear = [layer for layer in layers[::2] if isinstance(layer, nn.Linear)]
    relus = [layer for layer in layers[1::2] if isinstance(layer, nn.ReLU)]
    if len(linear) != len(relus) + 1 or len(linear) + len(relus) != len(layers):
        names = ", ".join(dict.fromkeys(type(layer).__name__ for layer in layers))
        raise InvalidInput(
            "certificates need linear layers with ReLU between them, a linear one last; "
            f"this network has {names}"
        )
    weights = [layer.weight.detach().to(torch.float64) for layer in linear]
    biases = [_bias(layer) for layer in linear]
    if len(weights[-1]) == 1:
        weights[-1] = torch.cat([torch.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = torch.cat([torch.zeros_like(biases[-1]), biases[-1]])
    return ReluNetwork(tuple(weights), tuple(biases))


def why_no_relu_network(model: Classifier) -> str | None:
    """Return why ``relu_network`` refuses a model; None if it does not."""
    try:
        relu_network(model)
    except InvalidInput as error:
        return str(error)
    return None


def _flattened(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return [layer for child in module for layer in _flattened(child)]
    return [module]


def _merged(layers: list[nn.Module]) -> list[nn.Module]:
    """Merge consecutive linear layers into one; scaling before a network is such a layer."""
    merged: list[nn.Module] = []
    for layer in layers:
        before = merged[-1] if merged else None
        if isinstance(layer, nn.Linear) and isinstance(before, nn.Linear):
            weight = layer.weight.detach().to(torch.float64)
            whole = linear_layer(
                weight @ before.weight.detach().to(torch.float64),
                torch.mv(weight, _bias(before)) + _bias(layer),
            )
            merged[-1] = whole.to(weight.device)
        else:
            merged.append(layer)
    return merged


def _bias(layer: nn.Linear) -> Tensor:
    bias: Tensor | None = layer.bias
    found = torch.zeros(layer.out_features, device=layer.weight.device) if bias is None else bias
    return found.detach().to(torch.float64)
