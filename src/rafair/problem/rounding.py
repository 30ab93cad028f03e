"""How far rounding can move a margin: that of the model's own arithmetic, and that of its bounds.

u is the unit roundoff of a type, half of its ``eps``. A sum of n products and a number, computed in
any order, with or without fused multiply-add, lies within γ(n + 1) times the sum of the terms'
absolute values of the exact one, where γ(n) = n·u / (1 − n·u).

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, Section 3.1. The
errors of the layers are carried through the network by interval bounds of its slopes, as in Weng et
al., Towards fast computation of certified robustness for ReLU networks (Fast-Lip), ICML 2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from rafair.problem.bound import Bound
    from rafair.problem.network import ReluNetwork
    from rafair.problem.piecewise_linear import Linear

__all__ = ["Rounding"]

# Roundings of a term of a bound in one layer, beside those of the sum over the layer's inputs.
ROUNDINGS = 8
# Operations on a bound after the last layer (mixing two bounds, carrying one over to a half of the
# box) add less than seven times the bound's own terms.
AFTERWARDS = 8
# For the rounding of the numbers computed here.
SAFETY = 1.01


@dataclass(frozen=True, eq=False)
class Rounding:
    """The rounding errors of a network's margins z_i − z_j, and of the bounds on them.

    Attributes
    ----------
    network : ReluNetwork
    dtype : torch.dtype
        Type in which the model runs.
    given : torch.dtype
        Type of the rows that the model is asked about, before they are cast to ``dtype``.
    bounds : Tensor, shape (n,), float64
        For each instance, the largest error of a bound as it is computed in float64.
    """

    network: ReluNetwork
    dtype: torch.dtype
    given: torch.dtype
    bounds: Tensor

    @classmethod
    def around(
        cls,
        network: ReluNetwork,
        low: Tensor,
        high: Tensor,
        dtype: torch.dtype,
        given: torch.dtype,
    ) -> Rounding:
        """Prepare for bounds over any part of n boxes, with corners (n, d), float64."""
        errors = _bound_errors(network, torch.maximum(low.abs(), high.abs()))
        return cls(network, dtype, given, AFTERWARDS * _pair(errors))

    def slack(self, low: Tensor, high: Tensor, owner: Tensor) -> Tensor:
        """Return the number that a bound must exceed to be a proof.

        If the computed bound of a margin z_i − z_j over any part of a box exceeds this number, then
        the model, run in its own type, returns z_i > z_j at every point of that part.

        Parameters
        ----------
        low, high : Tensor, shape (b, d), float64, unit space
            Corners of boxes.
        owner : Tensor of int64, shape (b,)
            Rows of their instances.

        Returns
        -------
        Tensor, shape (b,), float64
            Infinite where a number may overflow, or a layer is too wide for its type.
        """
        own = _model_errors(self.network, low, high, self.dtype, self.given)
        slack = SAFETY * (_pair(own) + self.bounds[owner])
        return slack.nan_to_num(nan=math.inf, posinf=math.inf)  # infinity times a weight 0 is NaN

    def tightened(
        self, bound: Bound, owner: Tensor, enough: Tensor, *corners: tuple[Tensor, Tensor]
    ) -> Bound:
        """Raise bounds that exceed the slack of their own box so that they exceed ``enough``.

        The slack of a small box is far smaller than that of all of Δ.

        Parameters
        ----------
        owner : Tensor of int64, shape (b,)
        enough : Tensor, shape (b,)
            The slack of all of I(v) × Δ.
        corners : pairs of Tensor, shape (b, d)
            The boxes of the people whose margins a bound combines.
        """
        close = ((bound.lower > 0) & (bound.lower <= enough)).nonzero()[:, 0]
        if not len(close):
            return bound
        boxes = [(low[close], high[close]) for low, high in corners]
        needed = torch.stack([self.slack(*box, owner[close]) for box in boxes]).amax(dim=0)
        gained = torch.zeros_like(enough)
        gained[close] = (enough[close] - needed).clamp_min(0).nan_to_num()
        return replace(bound, lower=bound.lower + gained, others=bound.others + gained)


def _pair(errors: Tensor) -> Tensor:
    """Return the largest error of a difference of two logits, (n,)."""
    return errors.topk(2, dim=1).values.sum(dim=1)


def _model_errors(
    network: ReluNetwork, low: Tensor, high: Tensor, dtype: torch.dtype, given: torch.dtype
) -> Tensor:
    """Bound the error of every logit that the model computes for points of a box, (n, k)."""
    size = torch.maximum(low.abs(), high.abs())
    # A point of Δ is computed in the type ``given`` (seed ± ε, and the nearest multiple of a
    # lattice's spacing), then cast to the model's type.
    error = (3 * _unit(given) + _unit(dtype)) * size
    added, slopes = [error], [(torch.ones_like(error), torch.ones_like(error))]
    for layer, linear in enumerate(network.layers):
        added.append(_added(linear, size + error, dtype))
        error = error @ network.weights[layer].abs().T + added[-1]
        if layer < network.n_hidden:
            low, high = _affine(network, layer, low, high)
            # The slope of a ReLU between the exact input and the computed one.
            slopes.append(((low > error).to(low.dtype), (high >= -error).to(low.dtype)))
            low, high = low.relu(), high.relu()
            size = high
    return _carried(network, added, slopes)


def _added(linear: tuple[Linear, ...], size: Tensor, dtype: torch.dtype) -> Tensor:
    """Bound what rounding adds to the outputs of consecutive linear layers, (n, width).

    ``size`` bounds the absolute values of their inputs as they are computed, (n, width).
    """
    kind, added = torch.finfo(dtype), torch.zeros(1, size.shape[1], dtype=size.dtype)
    added = added.to(size.device)
    for weight, bias in linear:
        absolute, n = weight.abs().T, weight.shape[1]
        terms = size @ absolute + bias.abs()
        # Of the model, and of float64, in which layers are merged and intervals are computed.
        share = sum(_gamma(n + 3, _unit(of)) for of in (dtype, torch.float64))
        # Numbers below ``tiny`` may be flushed to zero: weights, inputs, products and sums.
        flushed = kind.tiny * (size.sum(dim=1, keepdim=True) + absolute.sum(dim=0) + 2 * n + 1)
        added = added @ absolute + share * terms + flushed
        size = terms + added
        added = added.masked_fill(size > kind.max, math.inf)
    return added


def _affine(network: ReluNetwork, layer: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return interval bounds of the inputs of a layer's ReLUs."""
    weight, bias = network.weights[layer], network.biases[layer]
    middle = torch.addmm(bias, (low + high) / 2, weight.T)
    reach = (high - low) / 2 @ weight.abs().T
    return middle - reach, middle + reach


def _carried(
    network: ReluNetwork, added: list[Tensor], slopes: list[tuple[Tensor, Tensor]]
) -> Tensor:
    """Carry what is added before and after each layer on to the logits, (n, k).

    Parameters
    ----------
    added : list of Tensor
        What is added to the network's inputs, then to the outputs of each linear layer.
    slopes : list of pairs of Tensor
        For each linear layer, the least and the greatest slope from what ``added`` speaks of to the
        layer's inputs: 1 for the first, those of the ReLUs for the others.
    """
    total = added[-1]
    n, k = len(added[0]), len(network.biases[-1])
    least = most = torch.eye(k, dtype=total.dtype, device=total.device).expand(n, k, k)
    for layer in reversed(range(len(network.weights))):
        weight = network.weights[layer]
        middle, reach = (least + most) / 2 @ weight, (most - least) / 2 @ weight.abs()
        least, most = middle - reach, middle + reach
        off, on = (slope.unsqueeze(1) for slope in slopes[layer])
        least = torch.minimum(least * off, least * on)
        most = torch.maximum(most * off, most * on)
        size = torch.maximum(least.abs(), most.abs())
        total = total + (size @ added[layer].unsqueeze(2)).squeeze(2)
    return total


def _bound_errors(network: ReluNetwork, size: Tensor) -> Tensor:
    """Bound the error of the linear bounds of every logit, as computed in float64, (n, k).

    A bound is a sum of products of weights, slopes in [0, 1] and inputs. T, the sum of their
    absolute values, at most doubles with each layer, because a line's offset is no larger than the
    bounds of its neuron. Rounding changes the sum by γ(N)·T, where N is the number of roundings of
    a term. Besides, the lines of a layer may miss the ReLU by the error of the bounds from which
    they were computed, and by 4·u·T; ``missed`` carries that on through |W|.
    """
    unit = _unit(torch.float64)
    share = _gamma(2 * sum(weight.shape[1] + ROUNDINGS for weight in network.weights), unit)
    terms, missed = size, torch.zeros_like(size)
    error = missed
    for weight, bias in zip(network.weights, network.biases, strict=True):
        carried = missed @ weight.abs().T
        terms = 2 * terms @ weight.abs().T + bias.abs()
        error = share * terms + carried
        missed = error + 4 * unit * terms + carried
    return error


def _unit(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps / 2


def _gamma(n: int, unit: float) -> float:
    return n * unit / (1 - n * unit) if n * unit < 1 else math.inf
