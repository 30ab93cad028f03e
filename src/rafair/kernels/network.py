"""A dense network in the form that the kernels read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["TILE", "Network", "packed"]

# Neurons whose sums are computed together; each width is filled up to a multiple of it. See
# ``rafair.kernels.lanes``.
TILE = 8


class Network(NamedTuple):
    """Linear layers with (leaky) ReLU between them; layer l has the weights Wₗ, (nₗ, nₗ₋₁).

    In single precision for the model itself, in double precision for bounds.

    Attributes
    ----------
    weights : array
        W₁, W₂, … one after the other, each row by row.
    transposed : array
        W₁ᵀ, W₂ᵀ, …
    biases : array
    slopes : array, shape (2, hidden neurons)
        The slope of each neuron's activation below 0, as rows go forward and as they go back; 0 of
        ReLU. They differ where an attack differentiates ReLU as if it were leaky.
    widths : array of int64, shape (layers + 1,)
        n₀ for the features, n₁, …, each filled up to a multiple of ``TILE``.
    weight_starts, neuron_starts : arrays of int64, shape (layers + 1,)
        Where each layer begins in ``weights``, and in ``biases``.
    n_features, n_scores : int
        d and k, the widths of the first and the last layer before they were filled up.
    """

    weights: Numbers
    transposed: Numbers
    biases: Numbers
    slopes: Numbers
    widths: NDArray[np.int64]
    weight_starts: NDArray[np.int64]
    neuron_starts: NDArray[np.int64]
    n_features: int
    n_scores: int


def packed(
    layers: Sequence[tuple[Numbers, Numbers]], slopes: Sequence[Numbers] | None = None
) -> Network:
    """Pack weights (n_out, n_in), biases (n_out,) and, of hidden layers, slopes (2, n_out).

    Neurons that fill a layer up stay 0. Without slopes all activations are ReLU.
    """
    weights = [np.pad(weight, [(0, -n % TILE) for n in weight.shape]) for weight, _ in layers]
    biases = [np.pad(bias, (0, -len(bias) % TILE)) for _, bias in layers]
    if slopes is None:
        slopes = [np.zeros((2, len(bias)), bias.dtype) for _, bias in layers[:-1]]
    filled = [np.pad(each, [(0, 0), (0, -each.shape[1] % TILE)]) for each in slopes]
    return Network(
        np.concatenate([weight.ravel() for weight in weights]),
        np.concatenate([weight.T.ravel() for weight in weights]),
        np.concatenate(biases),
        np.concatenate([np.zeros((2, 0), biases[0].dtype), *filled], axis=1),
        np.array([weights[0].shape[1], *map(len, biases)], np.int64),
        np.cumsum([0, *(weight.size for weight in weights)]),
        np.cumsum([0, *map(len, biases)]),
        layers[0][0].shape[1],
        len(layers[-1][0]),
    )
