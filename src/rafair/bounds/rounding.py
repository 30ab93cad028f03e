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
    from rafair.bounds.activations import Activation
    from rafair.bounds.bound import Bound
    from rafair.bounds.layering import Blocks, Linear
    from rafair.bounds.network import LayeredNetwork

__all__ = ["Rounding"]

# Roundings of a term of a bound in one layer, beside those of the sum over the layer's inputs.
ROUNDINGS = 8
# Operations on a bound after the last layer (mixing two bounds, carrying one over to a half of the
# box) add less than seven times the bound's own terms.
AFTERWARDS = 8
# A smooth activation as any library computes it lies within this many unit roundoffs, times one
# more than the absolute value of its input, of the exact one. Libraries round the exponential
# function, tanh and erf to one or two units in the last place.
ACTIVATION_ERROR = 8
# For the rounding of the numbers computed here.
SAFETY = 1.01


@dataclass(frozen=True, eq=False)
class Rounding:
    """The rounding errors of a network's margins z_i − z_j, and of the bounds on them.

    Attributes
    ----------
    network : LayeredNetwork
    dtype : torch.dtype
        Type in which the model runs.
    given : torch.dtype
        Type of the rows that the model is asked about, before they are cast to ``dtype``.
    bounds : Tensor, shape (n,), float64
        For each instance, the largest error of a bound as it is computed in float64.
    """

    network: LayeredNetwork
    dtype: torch.dtype
    given: torch.dtype
    bounds: Tensor

    @classmethod
    def around(
        cls,
        network: LayeredNetwork,
        low: Tensor,
        high: Tensor,
        dtype: torch.dtype,
        given: torch.dtype,
    ) -> Rounding:
        """Prepare for bounds over any part of n boxes, with corners (n, d), float64."""
        dtype = dtype if network.dtype is None else network.dtype
        low, high = network.inside(low, high)
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
        corners = self.network.inside(low, high)
        own = _model_errors(self.network, *corners, self.dtype, self.given)
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
    network: LayeredNetwork, low: Tensor, high: Tensor, dtype: torch.dtype, given: torch.dtype
) -> Tensor:
    """Bound the error of every logit that the model computes for points of a box, (n, k)."""
    size = torch.maximum(low.abs(), high.abs())
    # A point of Δ is computed in the type ``given`` (seed ± ε, and the nearest multiple of a
    # lattice's spacing), then cast to the model's type.
    error = (3 * _unit(given) + _unit(dtype)) * size
    added, slopes = [error], [(torch.ones_like(error), torch.ones_like(error))]
    own = torch.zeros_like(error)
    for layer, linear in enumerate(network.layers):
        added.append(_added(linear, size + error, dtype, own))
        error = error @ network.weights[layer].abs().T + added[-1]
        if layer < network.n_hidden:
            low, high = _affine(network, layer, low, high)
            (low, high), between, own = _activated(
                network.activations[layer], low, high, error, dtype
            )
            slopes.append(between)
            steep = torch.maximum(between[0].abs(), between[1].abs())
            error = (steep if not network.is_relu else 1.0) * error
            size = torch.maximum(low.abs(), high.abs()) + own
    return _carried(network, added, slopes)


def _activated(
    blocks: Blocks, low: Tensor, high: Tensor, error: Tensor, dtype: torch.dtype
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor]:
    """Carry intervals of inputs, (n, width), through the activations of a layer.

    Returns
    -------
    (low, high)
        The interval of the exact values.
    (least, greatest)
        Of the slope between the exact input and the computed one, ``error`` away.
    own
        How far rounding may move the values for a given input.
    """
    widths, found = [width for _, width in blocks], []
    parts = zip(*(torch.split(part, widths, dim=1) for part in (low, high, error)), strict=True)
    for (activation, _), (least, most, off) in zip(blocks, parts, strict=True):
        size = torch.maximum(least.abs(), most.abs()) + off
        values = activation.range(least, most)
        between = activation.slopes(least - off, most + off)
        found.append((*values, *between, _activation_error(activation, size, dtype)))
    low, high, least, most, own = (torch.cat(same, dim=1) for same in zip(*found, strict=True))
    return (low, high), (least, most), own


def _activation_error(activation: Activation, size: Tensor, dtype: torch.dtype) -> Tensor:
    """Bound what computing an activation adds to its value, for inputs up to a size."""
    if activation.is_exact:
        return torch.zeros_like(size)
    units = sum(_unit(of) for of in (dtype, torch.float64))
    error = ACTIVATION_ERROR * units * activation.scale * (1 + size)
    return error + activation.gap + torch.finfo(dtype).tiny


def _added(linear: tuple[Linear, ...], size: Tensor, dtype: torch.dtype, added: Tensor) -> Tensor:
    """Bound what rounding adds to the outputs of consecutive linear layers, (n, width).

    ``size`` bounds the absolute values of their inputs as they are computed, (n, width), ``added``
    what their computation added to these.
    """
    kind = torch.finfo(dtype)
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


def _affine(
    network: LayeredNetwork, layer: int, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Return interval bounds of the inputs of a layer's activations."""
    weight, bias = network.weights[layer], network.biases[layer]
    middle = torch.addmm(bias, (low + high) / 2, weight.T)
    reach = (high - low) / 2 @ weight.abs().T
    return middle - reach, middle + reach


def _carried(
    network: LayeredNetwork, added: list[Tensor], slopes: list[tuple[Tensor, Tensor]]
) -> Tensor:
    """Carry what is added before and after each layer on to the logits, (n, k).

    Parameters
    ----------
    added : list of Tensor
        What is added to the network's inputs, then to the outputs of each linear layer.
    slopes : list of pairs of Tensor
        For each linear layer, the least and the greatest slope from what ``added`` speaks of to the
        layer's inputs: 1 for the first, those of the activations for the others.
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


def _bound_errors(network: LayeredNetwork, size: Tensor) -> Tensor:
    """Bound the error of the linear bounds of every logit, as computed in float64, (n, k).

    A bound is a sum of products of weights, slopes and inputs. T is the sum of their absolute
    values. Lines of ReLU at most double T, because their slopes lie in [0, 1] and their offsets are
    no larger than the bounds of the neuron. Those of an activation g with slopes up to s turn T
    into at most 3·s·T + |g(0)|: an offset is g(z) − slope · z at some z. Rounding changes the sum
    by γ(N)·T, where N is the number of roundings of a term. Besides, the lines of a layer may miss
    the activation by the error of the bounds from which they were computed (times the slopes of
    both), and by a few u·T; ``missed`` carries that on through |W|.
    """
    unit = _unit(torch.float64)
    share = _gamma(2 * sum(weight.shape[1] + ROUNDINGS for weight in network.weights), unit)
    steep, start, off = _shapes(network, size)
    terms, missed = 2 * size, torch.zeros_like(size)
    error = missed
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        carried = missed @ weight.abs().T
        inputs = terms @ weight.abs().T + bias.abs()
        error = share * inputs + carried
        if layer == network.n_hidden:
            break
        if network.is_relu:
            terms, missed = 2 * inputs, error + 4 * unit * inputs + carried
        else:
            slope = steep[layer]
            terms = 3 * slope * inputs + start[layer]
            own = off[layer] * unit * (1 + inputs + terms)
            missed = 2 * slope * error + own + slope * carried
    return error


def _shapes(network: LayeredNetwork, like: Tensor) -> tuple[list[Tensor], ...]:
    """Return, for each hidden layer, the largest slopes, |g(0)| and roundings of its neurons."""
    found: tuple[list[Tensor], ...] = ([], [], [])
    for blocks in network.activations:
        widths = torch.tensor([width for _, width in blocks], device=like.device)
        zero = like.new_zeros(1)
        shapes = [
            (kind.steepest, float(kind.value(zero).abs()), ACTIVATION_ERROR * (1 + kind.scale))
            for kind, _ in blocks
        ]
        for column, several in zip(zip(*shapes, strict=True), found, strict=True):
            several.append(like.new_tensor(column).repeat_interleave(widths))
    return found


def _unit(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps / 2


def _gamma(n: int, unit: float) -> float:
    return n * unit / (1 - n * unit) if n * unit < 1 else math.inf
