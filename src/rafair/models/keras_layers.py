"""Keras layers as layers of torch, one function for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.models.chain import NotAChain
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models.chain import Chain

__all__ = ["Squash", "append_layer"]

Squash: TypeAlias = Literal["", "softmax", "sigmoid"]


def append_layer(chain: Chain, layer: Any, keras: Any) -> Squash:
    """Append a layer to a chain; return its softmax or sigmoid, which is not appended.

    Raises
    ------
    NotAChain
        If there is no layer of torch that does the same.
    """
    name = type(layer).__name__
    known = getattr(keras.layers, name, None) is type(layer) and name in LAYERS
    if not known or layer.compute_dtype not in ("float32", "float64"):
        raise NotAChain
    LAYERS[name](chain, layer)
    activation = getattr(layer, "activation", None)
    if name == "Softmax":
        activation = keras.activations.softmax
    if activation is keras.activations.softmax or activation is keras.activations.sigmoid:
        return "softmax" if activation is keras.activations.softmax else "sigmoid"
    if activation not in (None, keras.activations.linear):
        _activate(chain, activation, keras)
    return ""


def _activate(chain: Chain, activation: Any, keras: Any) -> None:
    """Append one of Keras's functions of one number."""
    for name, make in ACTIVATIONS.items():
        if activation is getattr(keras.activations, name, None):
            chain.activated(make())
            return
    raise NotAChain


def _numbers(variable: Any) -> Tensor:
    """Return the values of a Keras variable or a tensor, in float64 on the CPU."""
    value = getattr(variable, "value", variable)
    return torch.as_tensor(value).detach().to("cpu", torch.float64)


def _row(variable: Any, chain: Chain, default: float) -> Tensor:
    if variable is None:
        return torch.full_like(chain.offset, default)
    row = _numbers(variable).reshape(-1)
    if len(row) not in (1, chain.width):
        raise NotAChain
    return row.expand(chain.width)


def _dense(chain: Chain, layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) is not None:
        raise NotAChain
    matrix = _numbers(layer.kernel).T
    bias = torch.zeros(1) if layer.bias is None else _numbers(layer.bias)
    chain.linear(matrix, bias.expand(len(matrix)))


def _batch_normalization(chain: Chain, layer: Any) -> None:
    if layer.axis not in (-1, 1):
        raise NotAChain
    spread = torch.sqrt(_row(layer.moving_variance, chain, 1.0) + layer.epsilon)
    factor = _row(layer.gamma, chain, 1.0) / spread
    mean = _row(layer.moving_mean, chain, 0.0)
    chain.scaled(factor, _row(layer.beta, chain, 0.0) - mean * factor)


def _normalization(chain: Chain, layer: Any) -> None:
    if layer.invert or layer.mean is None:
        raise NotAChain
    spread = torch.sqrt(_row(layer.variance, chain, 1.0))
    spread = spread.clamp_min(need("keras", "keras").backend.epsilon())
    chain.scaled(1 / spread, -_row(layer.mean, chain, 0.0) / spread)


def _rescaling(chain: Chain, layer: Any) -> None:
    factor = torch.as_tensor(layer.scale, dtype=torch.float64)
    chain.scaled(_row(factor, chain, 1.0), _row(torch.as_tensor(layer.offset), chain, 0.0))


def _relu(chain: Chain, layer: Any) -> None:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise NotAChain
    chain.activated(nn.ReLU())


def _leaky_relu(chain: Chain, layer: Any) -> None:
    chain.activated(nn.LeakyReLU(float(layer.negative_slope)))


def _elu(chain: Chain, layer: Any) -> None:
    chain.activated(nn.ELU(float(layer.alpha)))


def _softmax(chain: Chain, layer: Any) -> None:  # noqa: ARG001 - as in all of LAYERS
    if layer.axis not in (-1, 1):
        raise NotAChain


def _same(chain: Chain, layer: Any) -> None:
    """Append nothing: the layer does not change the rows in prediction."""


# Keras's functions with their default parameters.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hard_sigmoid": nn.Hardsigmoid,
    "hard_silu": nn.Hardswish,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "log_sigmoid": nn.LogSigmoid,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
    "tanh_shrink": nn.Tanhshrink,
}
LAYERS: dict[str, Callable[[Chain, Any], None]] = {
    "Activation": _same,
    "ActivityRegularization": _same,
    "AlphaDropout": _same,
    "BatchNormalization": _batch_normalization,
    "Dense": _dense,
    "Dropout": _same,
    "ELU": _elu,
    "Flatten": _same,
    "GaussianDropout": _same,
    "GaussianNoise": _same,
    "Identity": _same,
    "InputLayer": _same,
    "LeakyReLU": _leaky_relu,
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
}
