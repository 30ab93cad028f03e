"""How far rounding can move a margin: that of the model's own arithmetic, and that of its bounds.

u is the unit roundoff of a type, half of its ``eps``. A sum of n products and a number, computed in
any order, with or without fused multiply-add, lies within γ(n + 1) times the sum of the terms'
absolute values of the exact one, where γ(n) = n·u / (1 − n·u).

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, Lemma 3.1 and
Section 3.1, applied layer by layer to intervals.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.problem.network import ReluNetwork

__all__ = ["rounding_slack"]

# Roundings of a term of a bound in one layer, beside those of the sum over the layer's inputs.
ROUNDINGS = 8
# Operations on a bound after the last layer (mixing two bounds, carrying one over to a half of the
# box) add less than seven times the bound's own terms.
AFTERWARDS = 8
# For the rounding of the numbers computed here.
MARGIN = 1.01


def rounding_slack(
    network: ReluNetwork, low: Tensor, high: Tensor, dtype: torch.dtype, given: torch.dtype
) -> Tensor:
    """Bound the rounding error of margins over boxes: a bound that exceeds it is a proof.

    If the computed bound of a margin z_i − z_j over any part of a box exceeds this number, then the
    model, run in its own type, returns z_i > z_j at every point of that part.

    Parameters
    ----------
    network : ReluNetwork
    low, high : Tensor, shape (n, d), float64, unit space
        Corners of the boxes.
    dtype : torch.dtype
        Type in which the model runs.
    given : torch.dtype
        Type of the rows that the model is asked about, before they are cast to ``dtype``.

    Returns
    -------
    Tensor, shape (n,), float64
        Infinite where a number may overflow, or a layer is too wide for its type.
    """
    own = _model_errors(network, low, high, dtype, given)
    bounds = _bound_errors(network, torch.maximum(low.abs(), high.abs()))
    slack = MARGIN * (_pair(own) + AFTERWARDS * _pair(bounds))
    return slack.nan_to_num(nan=math.inf, posinf=math.inf)  # infinity times a weight 0 is NaN


def _pair(errors: Tensor) -> Tensor:
    """Return the largest error of a difference of two logits, (n,)."""
    return errors.topk(2, dim=1).values.sum(dim=1)


def _model_errors(
    network: ReluNetwork, low: Tensor, high: Tensor, dtype: torch.dtype, given: torch.dtype
) -> Tensor:
    """Bound the error of every logit that the model computes, (n, k).

    The error e and the largest absolute value m of a layer's inputs give the error of its outputs:
    |W|·e + γ(n + 1)·(|W|·(m + e) + |b|). ReLU does not increase an error. Interval bounds give m.
    """
    kind = torch.finfo(dtype)
    size = torch.maximum(low.abs(), high.abs())
    # A point of Δ is computed in the type ``given`` (seed ± ε, and the nearest multiple of a
    # lattice's spacing), then cast to the model's type.
    error = (3 * _unit(given) + _unit(dtype)) * size
    for stage, layers in enumerate(network.layers):
        for weight, bias in layers:
            absolute, n = weight.abs().T, weight.shape[1]
            terms = (size + error) @ absolute + bias.abs()
            # Of the model, and of float64, in which consecutive linear layers are merged.
            share = _gamma(n + 1, _unit(dtype)) + _gamma(n + 1, _unit(torch.float64))
            # Numbers below ``tiny`` may be flushed to zero: weights, inputs, products and sums.
            flushed = size.sum(dim=1, keepdim=True) + absolute.sum(dim=0) + 2 * n + 1
            error = error @ absolute + share * terms + kind.tiny * flushed
            size = size @ absolute + bias.abs()
            error = error.masked_fill(terms + error > kind.max, math.inf)
        if stage < network.n_hidden:
            low, high = _hidden_range(network, stage, low, high)
            size = high
    return error


def _hidden_range(
    network: ReluNetwork, layer: int, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Return interval bounds of a hidden layer's outputs."""
    weight, bias = network.weights[layer], network.biases[layer]
    middle = torch.addmm(bias, (low + high) / 2, weight.T)
    reach = (high - low) / 2 @ weight.abs().T
    return (middle - reach).relu(), (middle + reach).relu()


def _bound_errors(network: ReluNetwork, size: Tensor) -> Tensor:
    """Bound the error of the linear bounds of every logit, as computed in float64, (n, k).

    A bound is a sum of products of weights, slopes in [0, 1] and inputs. T, the sum of their
    absolute values, at most doubles with each layer, because a line's offset is no larger than the
    bounds of its neuron. Rounding changes the sum by γ(N)·T, where N is the number of roundings of
    a term. Besides, the lines of a layer may miss the ReLU by the error of the bounds from which
    they were computed, and by 4·u·T; ``missed`` carries that on through |W|.
    """
    unit = _unit(torch.float64)
    share = _gamma(2 * sum(w.shape[1] + ROUNDINGS for w in network.weights), unit)
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
