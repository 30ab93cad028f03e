"""Activations as functions whose curvature is known: what linear bounds of them need.

Between two neighbouring ``bends`` an activation is convex or concave. ReLU and the identity are
among them, so that one layer of a network may hold several kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ACTIVATIONS", "IDENTITY", "RELU", "Activation", "activation_of"]

# The numbers of GELU as it is computed by tanh.
CUBED, CUBIC = math.sqrt(2 / math.pi), 0.044715
# How far beside a bend the slope of each side is taken.
BESIDE = 1e-12


@dataclass(frozen=True)
class Activation:
    """A function of one number, with what is known of its shape.

    Attributes
    ----------
    value, slope : callable
        The function and its derivative, of tensors.
    bends : tuple of float
        Where the curvature changes its sign, or the slope jumps; in increasing order.
    convex : tuple of bool
        For each part between two bends, from the left: is the function convex there? On every other
        part it is concave.
    steepest : float
        The largest absolute value of the slope.
    turns : tuple of float
        Where the function has a local extremum.
    gap : float
        How far torch's function lies from this one where nothing is rounded.
    scale : float
        What rounding adds to a value is proportional to this.
    is_exact : bool
        Whether a value is not rounded at all.
    """

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    bends: tuple[float, ...] = ()
    convex: tuple[bool, ...] = (True,)
    steepest: float = 1.0
    turns: tuple[float, ...] = ()
    gap: float = 0.0
    scale: float = 1.0
    is_exact: bool = False

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest value between two numbers."""
        return _extremes(self.value, low, high, self.turns)

    def slopes(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest slope between two numbers."""
        beside = [side for bend in self.bends for side in (bend - BESIDE, bend + BESIDE)]
        return _extremes(self.slope, low, high, beside)

    def mirrored(self) -> Activation:
        """Return the negative of this function."""
        return replace(
            self,
            value=lambda z: -self.value(z),
            slope=lambda z: -self.slope(z),
            convex=tuple(not convex for convex in self.convex),
        )


def _extremes(
    function: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, inner: Any
) -> tuple[Tensor, Tensor]:
    """Return the least and greatest value at the ends and at inner points that lie between."""
    inside = [torch.clamp(torch.full_like(low, point), low, high) for point in inner]
    values = torch.stack([function(point) for point in (low, high, *inside)])
    return values.amin(dim=0), values.amax(dim=0)


def _positive(z: Tensor) -> Tensor:
    return (z > 0).to(z.dtype)


IDENTITY = Activation(lambda z: z, torch.ones_like, is_exact=True)
RELU = Activation(torch.relu, _positive, (0.0,), (True, True), is_exact=True)
S_SHAPED = ((0.0,), (True, False))
TANH = Activation(torch.tanh, lambda z: 1 - torch.tanh(z).square(), *S_SHAPED)
SIGMOID = Activation(
    torch.sigmoid, lambda z: torch.sigmoid(z) * torch.sigmoid(-z), *S_SHAPED, steepest=0.25
)
SOFTSIGN = Activation(functional.softsign, lambda z: (1 + z.abs()).square().reciprocal(), *S_SHAPED)
TANHSHRINK = Activation(
    lambda z: z - torch.tanh(z), lambda z: torch.tanh(z).square(), (0.0,), (False, True)
)
BELL_SHAPED = (False, True, False)  # the curvature's sign: convex in the middle
# Bends and turns are zeros of the second and first derivative, computed with 30 digits.
EXACT_GELU = Activation(
    lambda z: z * torch.special.ndtr(z),
    lambda z: torch.special.ndtr(z) + z * _normal(z),
    (-math.sqrt(2), math.sqrt(2)),
    BELL_SHAPED,
    1.1289041451851548,
    (-0.751791524693564457,),
)
TANH_GELU = Activation(
    lambda z: z * torch.sigmoid(2 * _inner(z)),
    lambda z: _gated_slope(z, 2 * _inner(z), 2 * CUBED * (1 + 3 * CUBIC * z.square())),
    (-1.41850400879082836, 1.41850400879082836),
    BELL_SHAPED,
    1.1289930686587718,
    (-0.752461422071016258,),
)
SILU = Activation(
    lambda z: z * torch.sigmoid(z),
    lambda z: _gated_slope(z, z, torch.ones_like(z)),
    (-2.39935728051546767, 2.39935728051546767),
    BELL_SHAPED,
    1.0998393201288669,
    (-1.2784645427610738,),
)
MISH = Activation(
    functional.mish,
    lambda z: _mish_slope(z),
    (-2.25637639636079312, 1.49057117948542846),
    BELL_SHAPED,
    1.0884981612517273,
    (-1.19243121451549521,),
)
HARDSWISH = Activation(
    functional.hardswish,
    lambda z: torch.where(z > 3, 1.0, torch.where(z < -3, 0.0, (2 * z + 3) / 6)),
    (-3.0, 3.0),
    (True, True, True),
    1.5,
    (-1.5,),
)
LOG_SIGMOID = Activation(functional.logsigmoid, lambda z: torch.sigmoid(-z), (), (False,))


def _normal(z: Tensor) -> Tensor:
    """Return the density of the standard normal distribution."""
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)


def _inner(z: Tensor) -> Tensor:
    return CUBED * (z + CUBIC * z**3)


def _gated_slope(z: Tensor, inner: Tensor, inner_slope: Tensor) -> Tensor:
    """Return the derivative of z times the sigmoid of ``inner``."""
    gate = torch.sigmoid(inner)
    return gate + z * gate * torch.sigmoid(-inner) * inner_slope


def _mish_slope(z: Tensor) -> Tensor:
    gate = torch.tanh(functional.softplus(z, threshold=1000))
    return gate + z * (1 - gate.square()) * torch.sigmoid(z)


def _elu(scale: float, alpha: float, stretch: float = 1.0) -> Activation:
    """Return scale · z above 0, and scale · alpha · (exp(z / stretch) − 1) below."""
    if alpha < 0 or stretch <= 0:
        raise InvalidInput("certificates need ELU or CELU with a positive alpha")
    steep = scale * alpha / stretch
    return Activation(
        lambda z: scale * torch.where(z > 0, z, alpha * torch.expm1(z.clamp_max(0) / stretch)),
        lambda z: torch.where(z > 0, scale, steep * torch.exp(z.clamp_max(0) / stretch)),
        (0.0,),
        (True, True),
        max(scale, steep),
        scale=scale * max(1.0, alpha),
    )


def _softplus(layer: nn.Softplus) -> Activation:
    beta = float(layer.beta)
    if beta <= 0:
        raise InvalidInput("certificates need Softplus with a positive beta")
    return Activation(
        lambda z: functional.softplus(z, beta, threshold=1000),
        lambda z: torch.sigmoid(beta * z),
        gap=math.log1p(math.exp(-float(layer.threshold))) / beta,
        scale=max(1.0, 1 / beta),
    )


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
ACTIVATIONS: dict[type[nn.Module], Callable[[Any], Activation]] = {
    nn.Tanh: lambda _: TANH,
    nn.Sigmoid: lambda _: SIGMOID,
    nn.Softsign: lambda _: SOFTSIGN,
    nn.Tanhshrink: lambda _: TANHSHRINK,
    nn.GELU: lambda layer: TANH_GELU if layer.approximate == "tanh" else EXACT_GELU,
    nn.SiLU: lambda _: SILU,
    nn.Mish: lambda _: MISH,
    nn.Hardswish: lambda _: HARDSWISH,
    nn.LogSigmoid: lambda _: LOG_SIGMOID,
    nn.ELU: lambda layer: _elu(1.0, layer.alpha),
    nn.CELU: lambda layer: _elu(1.0, layer.alpha, layer.alpha),
    nn.SELU: lambda _: _elu(SELU_SCALE, SELU_ALPHA),
    nn.Softplus: _softplus,
}


def activation_of(layer: nn.Module) -> Activation | None:
    """Return the activation of a layer that is no piecewise linear one; None if it has none."""
    kind = ACTIVATIONS.get(type(layer))
    return None if kind is None else kind(layer)
