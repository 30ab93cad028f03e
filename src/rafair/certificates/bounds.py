"""Linear bounds of a ReLU network over boxes: CROWN, dense and batched, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.certificates.network import ReluNetwork

__all__ = ["Bound", "linear_bound", "no_pattern"]


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound of a margin over each of n boxes: the least over all rival classes.

    Attributes
    ----------
    lower : Tensor, shape (n,), float64
        No point of the box has a smaller margin z_y − z_j, for the rival j of the bound.
    slope : Tensor, shape (n, d), float64
        Coefficients of the linear function of the input that lies below that margin.
    sensitivity : Tensor, shape (n, d), float64
        How much of the relaxation's error each feature stands for.
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        1 where a neuron is active all over the box, −1 where it is idle, 0 where it is neither.
    """

    lower: Tensor
    slope: Tensor
    sensitivity: Tensor
    pattern: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """Lines below and above the ReLU of one layer: below · z, and above · z + shift."""

    below: Tensor  # (n, width)
    above: Tensor
    shift: Tensor

    @classmethod
    def over(cls, low: Tensor, high: Tensor, pattern: Tensor) -> _Relaxed:
        """Relax ReLU over [low, high]; of lines below an unstable one, 0 or z, the closer."""
        unstable = pattern == 0
        active = (pattern > 0).to(low.dtype)
        above = torch.where(unstable, high / torch.where(unstable, high - low, 1.0), active)
        below = torch.where(unstable, (high > -low).to(low.dtype), active)
        return cls(below, above, torch.where(unstable, -above * low, 0.0))


def no_pattern(network: ReluNetwork, n: int) -> tuple[Tensor, ...]:
    """Return the pattern of n boxes of which nothing is known."""
    return tuple(
        torch.zeros(n, len(bias), dtype=torch.int8, device=bias.device)
        for bias in network.biases[:-1]
    )


def linear_bound(
    network: ReluNetwork, low: Tensor, high: Tensor, y: Tensor, pattern: tuple[Tensor, ...]
) -> Bound:
    """Bound the margin z_y − max over j ≠ y of z_j from below over n boxes.

    Neurons of a layer are bounded by going back to the input through relaxations of the layers
    before it; only those that ``pattern`` leaves open are, all boxes' together in one product.

    Parameters
    ----------
    low, high : Tensor, shape (n, d), float64
    y : Tensor of int64, shape (n,)
    pattern : tuple of Tensor of int8
        What a larger box has settled; it holds for a smaller one too.

    Source: Zhang et al., Efficient neural network robustness certification with general activation
    functions (CROWN), NeurIPS 2018; Singh et al. (DeepPoly), POPL 2019.
    """
    centre, radius = (low + high) / 2, (high - low) / 2
    relaxed: list[_Relaxed] = []
    settled = []
    for layer in range(network.n_hidden):
        below, above = _neurons(network, relaxed, centre, radius, pattern[layer])
        active = (pattern[layer] > 0) | (below >= 0)
        idle = ~active & ((pattern[layer] < 0) | (above <= 0))
        signs = active.to(torch.int8) - idle.to(torch.int8)
        relaxed.append(_Relaxed.over(below, above, signs))
        settled.append(signs)
    rows, const = _margins(network, y)
    n, rivals, _ = rows.shape
    box = torch.arange(n, device=low.device).repeat_interleave(rivals)
    slope, const = _to_input(network, relaxed, rows.flatten(0, 1), const.flatten(), box)
    lower = const + (slope * centre[box]).sum(dim=1) - (slope.abs() * radius[box]).sum(dim=1)
    least = lower.view(n, rivals).argmin(dim=1)
    chosen = torch.arange(n, device=low.device) * rivals + least
    felt = rows[torch.arange(n, device=low.device), least].abs()
    for layer in reversed(range(network.n_hidden)):
        felt = (felt * relaxed[layer].above) @ network.weights[layer].abs()
    return Bound(lower[chosen], slope[chosen], felt, tuple(settled))


def _margins(network: ReluNetwork, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return z_y − z_j for every j ≠ y as rows over the last hidden layer, (n, k − 1, width)."""
    weight, bias = network.weights[-1], network.biases[-1]
    k = len(weight)
    rivals = torch.arange(k - 1, device=y.device).expand(len(y), -1)
    rivals = rivals + (rivals >= y.unsqueeze(1))
    return weight[y].unsqueeze(1) - weight[rivals], bias[y].unsqueeze(1) - bias[rivals]


def _neurons(
    network: ReluNetwork, relaxed: list[_Relaxed], centre: Tensor, radius: Tensor, pattern: Tensor
) -> tuple[Tensor, Tensor]:
    """Bound the inputs of a layer's ReLU; settled neurons get a bound of their own sign."""
    layer = len(relaxed)
    weight, bias = network.weights[layer], network.biases[layer]
    if layer == 0:
        middle, reach = torch.addmm(bias, centre, weight.T), radius @ weight.abs().T
        return middle - reach, middle + reach
    below = torch.where(pattern > 0, 0.0, -1.0).to(centre.dtype)
    above = torch.where(pattern < 0, 0.0, 1.0).to(centre.dtype)
    box, neuron = (pattern == 0).nonzero(as_tuple=True)
    if len(box):
        rows = torch.cat([weight[neuron], -weight[neuron]])
        const, both = torch.cat([bias[neuron], -bias[neuron]]), torch.cat([box, box])
        slope, const = _to_input(network, relaxed, rows, const, both)
        least = const + (slope * centre[both]).sum(dim=1) - (slope.abs() * radius[both]).sum(dim=1)
        below[box, neuron], above[box, neuron] = least[: len(box)], -least[len(box) :]
    return below, above


def _to_input(
    network: ReluNetwork, relaxed: list[_Relaxed], rows: Tensor, const: Tensor, box: Tensor
) -> tuple[Tensor, Tensor]:
    """Carry linear functions of a hidden layer back to the input, from below.

    Parameters
    ----------
    rows : Tensor, shape (r, width of the last relaxed layer).
    const : Tensor, shape (r,).
    box : Tensor of int64, shape (r,)
        The box that each function is about.
    """
    for layer in reversed(range(len(relaxed))):
        relu = relaxed[layer]
        down = rows.clamp_max(0)
        const = const + (down * relu.shift[box]).sum(dim=1)
        rows = rows.clamp_min(0) * relu.below[box] + down * relu.above[box]
        const = const + rows @ network.biases[layer]
        rows = rows @ network.weights[layer]
    return rows, const
