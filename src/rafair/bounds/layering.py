"""Rewrites modules as linear layers with an activation of each neuron between them.

A value inside the module is a chain of linear layers on top of the outputs of the last activations,
the basis. A piecewise linear activation g(z) = c + Σⱼ aⱼ ReLU(sⱼ (z − tⱼ)), such as LeakyReLU or
ReLU6, is a linear layer, ReLU and another linear layer. A value that is needed later, as that of a
residual connection, passes through the activations unchanged. Where all of them are ReLU it passes
as itself where it is not negative, else as ReLU(z) − ReLU(−z), so that the network has ReLU only;
beside other activations it passes through the identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from rafair.bounds.activations import IDENTITY, RELU, Activation, activation_of
from rafair.bounds.recording import IDLE
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Blocks", "Chain", "Linear", "Rewriting", "unknown"]

Linear: TypeAlias = tuple[Tensor, Tensor]
Chain: TypeAlias = tuple[Linear, ...]
# Which activation how many neurons of a layer have, one after the other.
Blocks: TypeAlias = tuple[tuple[Activation, int], ...]


@dataclass(frozen=True)
class Hinges:
    """An activation c + Σⱼ aⱼ ReLU(sⱼ (z − tⱼ)).

    Attributes
    ----------
    signs, places, factors : tuple of float
        sⱼ, 1 or −1; tⱼ; and aⱼ, a number or one per neuron.
    offset : float
        c.
    """

    signs: tuple[float, ...]
    places: tuple[float, ...]
    factors: tuple[float | Tensor, ...]
    offset: float = 0.0


PLAIN = Hinges((1.0,), (0.0,), (1.0,))


def leaky(slope: float | Tensor) -> Hinges:
    """Return LeakyReLU, or PReLU with one slope per neuron."""
    return Hinges((1.0, -1.0), (0.0, 0.0), (1.0, -slope))


def clipped(low: float, high: float) -> Hinges:
    """Return z clipped to [low, high]."""
    return Hinges((1.0, 1.0), (low, high), (1.0, -1.0), low)


PIECEWISE: dict[type[nn.Module], Callable[[Any], Hinges]] = {
    nn.ReLU: lambda _: PLAIN,
    nn.LeakyReLU: lambda layer: leaky(layer.negative_slope),
    nn.PReLU: lambda layer: leaky(_numbers(layer.weight)),
    nn.ReLU6: lambda _: clipped(0.0, 6.0),
    nn.Hardtanh: lambda layer: clipped(layer.min_val, layer.max_val),
    nn.Hardsigmoid: lambda _: Hinges((1.0, 1.0), (-3.0, 3.0), (1 / 6, -1 / 6)),
}


@dataclass(eq=False)
class Rewriting:
    """The chains and activations up to the last ones, and the width of their basis."""

    width: int
    device: torch.device
    chains: list[Chain] = field(default_factory=list)
    blocks: list[Blocks] = field(default_factory=list)

    def unit(self, n: int) -> Linear:
        """Return the linear layer that changes nothing."""
        eye = torch.eye(n, dtype=torch.float64, device=self.device)
        return eye, eye.new_zeros(n)

    def ended(self, last: Chain) -> list[Chain]:
        """Return all chains, of which this value is the last one."""
        return [*self.chains, last or (self.unit(self.width),)]

    def size(self, chain: Chain) -> int:
        """Return the number of outputs of a chain."""
        return len(chain[-1][1]) if chain else self.width

    def after(
        self, layer: nn.Module, chain: Chain, others: Sequence[Chain]
    ) -> tuple[Chain, list[Chain]]:
        """Return a value after a layer, and other values on the basis there is then."""
        if isinstance(layer, IDLE):
            return chain, list(others)
        if isinstance(layer, nn.Linear):
            return (*chain, _linear(layer)), list(others)
        if isinstance(layer, nn.BatchNorm1d) and not layer.training and layer.track_running_stats:
            return (*chain, *self._normalised(layer)), list(others)
        if type(layer) in PIECEWISE:
            return self.hinged(PIECEWISE[type(layer)](layer), chain, others)
        activation = activation_of(layer)
        if activation is not None:
            return self.passed(activation, chain, None, others)
        raise unknown(type(layer).__name__)

    def _normalised(self, layer: nn.BatchNorm1d) -> Chain:
        """Return batch normalisation: subtract the mean, then scale.

        The layer between them does nothing, but its rounding covers that of the scale itself.
        """
        assert layer.running_mean is not None  # noqa: S101 - track_running_stats
        assert layer.running_var is not None  # noqa: S101
        mean, scale = _numbers(layer.running_mean), _numbers(layer.running_var)
        scale = (scale + layer.eps).rsqrt()
        scale = scale if layer.weight is None else scale * _numbers(layer.weight)
        bias = torch.zeros_like(mean) if layer.bias is None else _numbers(layer.bias)
        eye, zero = self.unit(len(mean))
        return (eye, -mean), (eye, zero), (torch.diag(scale), bias)

    def picked(self, chains: Sequence[Chain], places: Sequence[int]) -> Chain:
        """Return some numbers of several values, each counted on behind those before it."""
        if len(chains) == 1 and list(places) == list(range(self.size(chains[0]))):
            return chains[0]
        *before, (weight, bias) = self._stacked(chains)
        return (*before, (weight[list(places)], bias[list(places)]))

    def scaled(self, chain: Chain, factor: Tensor, offset: Tensor) -> Chain:
        """Return factor · number + offset for each number of a value, both of shape (n,)."""
        return (*chain, (torch.diag(factor), offset))

    def summed(self, left: Chain, right: Chain) -> Chain:
        """Return the sum of two values of the same width."""
        eye, zero = self.unit(self.size(left))
        return (*self._stacked([left, right]), (torch.cat([eye, eye], dim=1), zero))

    def hinged(
        self, hinges: Hinges, chain: Chain, others: Sequence[Chain]
    ) -> tuple[Chain, list[Chain]]:
        """Put a piecewise linear activation on a value; other values pass it unchanged."""
        n = self.size(chain)
        eye, zero = self.unit(n)
        into = chain
        if hinges.signs != PLAIN.signs or hinges.places != PLAIN.places:
            pairs = zip(hinges.signs, hinges.places, strict=True)
            shifts = torch.cat([zero - sign * place for sign, place in pairs])
            into = (*chain, (torch.cat([sign * eye for sign in hinges.signs]), shifts))
        after = torch.cat([eye * factor for factor in hinges.factors], dim=1)
        own = None if hinges is PLAIN else (after, zero + hinges.offset)
        return self.passed(RELU, into, own, others)

    def passed(
        self, activation: Activation, into: Chain, after: Linear | None, others: Sequence[Chain]
    ) -> tuple[Chain, list[Chain]]:
        """Put an activation on a value, a layer behind it, and let other values pass unchanged."""
        width, stacked = self.size(into), [into]
        blocks: Blocks = ((activation, width),)
        back = torch.zeros(self.width, 0, dtype=torch.float64, device=self.device)
        if others:
            kept, passing, back = self._kept(activation)
            stacked, blocks = [into, kept], (*blocks, (passing, self.size(kept)))
        self.chains.append(self._stacked(stacked))
        self.blocks.append(blocks)
        self.width = self.size(self.chains[-1])
        if after is None and not others:
            return (), []
        weight, bias = after or self.unit(width)
        out = torch.cat([weight, weight.new_zeros(len(weight), self.width - width)], dim=1)
        back = torch.cat([back.new_zeros(len(back), width), back], dim=1)
        return ((out, bias),), [_on(back, other) for other in others]

    def _kept(self, activation: Activation) -> tuple[Chain, Activation, Tensor]:
        """Return how the basis passes activations, through which, and what restores it."""
        eye, zero = self.unit(self.width)
        is_relu = all(kind is RELU for blocks in self.blocks for kind, _ in blocks)
        if activation is not RELU or not is_relu:
            return (), IDENTITY, eye
        if self.chains:  # outputs of a ReLU
            return (), RELU, eye
        pairs = torch.cat([eye, -eye])
        return ((pairs, torch.cat([zero, zero])),), RELU, pairs.T

    def _stacked(self, chains: Sequence[Chain]) -> Chain:
        """Return one chain that computes several, one below the other."""
        if len(chains) == 1 and chains[0]:
            return chains[0]
        length = max(1, *map(len, chains))
        padded = [
            (*chain, *[self.unit(self.size(chain))] * (length - len(chain))) for chain in chains
        ]
        steps = list(zip(*padded, strict=True))
        biases = [torch.cat([bias for _, bias in step]) for step in steps]
        first = torch.cat([weight for weight, _ in steps[0]])
        later = [_diagonal([weight for weight, _ in step]) for step in steps[1:]]
        return tuple(zip([first, *later], biases, strict=True))


def _diagonal(blocks: Sequence[Tensor]) -> Tensor:
    found: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return found


def _on(back: Tensor, chain: Chain) -> Chain:
    """Return a value of the old basis on the new one, from which ``back`` restores the old one."""
    if not chain:
        return ((back, back.new_zeros(len(back))),)
    (weight, bias), *rest = chain
    return ((weight @ back, bias), *rest)


def _linear(layer: nn.Linear) -> Linear:
    weight, bias = _numbers(layer.weight), layer.bias
    return weight, weight.new_zeros(len(weight)) if bias is None else _numbers(bias)


def _numbers(parameter: Tensor) -> Tensor:
    return parameter.detach().to(torch.float64)


def unknown(name: str) -> InvalidInput:
    """Return the error that names a part that has no bounds."""
    return InvalidInput(
        "certificates need linear layers, batch normalisation, activations of one number, sums and "
        f"embeddings; this network has {name}"
    )
