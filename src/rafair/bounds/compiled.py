"""Linear bounds by the kernels of ``rafair.kernels``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from rafair.bounds.bound import Bound
from rafair.problem.compiling import compiles
from rafair.problem.threads import shared

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.bounds.network import LayeredNetwork

__all__ = ["compiled_bound", "is_compiled"]

# Boxes that a thread bounds before it asks for more.
PIECE = 32


def is_compiled(low: Tensor) -> bool:
    """Tell whether the kernels compute bounds over such boxes."""
    return low.device.type == "cpu" and compiles("bounds")


def compiled_bound(
    network: LayeredNetwork,
    corners: tuple[Tensor, Tensor],
    y: Tensor,
    rivals: Tensor,
    pattern: tuple[Tensor, ...],
    windows: Tensor,
    steps: tuple[int, float],
) -> Bound:
    """Bound margins over n boxes; see ``linear_bound``.

    Parameters
    ----------
    corners : pair of Tensor, shape (n, d), float64
    rivals : Tensor of int64, shape (n, r)
    windows : Tensor, shape (n, 2), float64
        A bound above the first number and not above the second one is raised.
    steps : (int, float)
        Number and rate of the steps by which it is raised.
    """
    from rafair.kernels import bounds as kernels

    layers, widths = network.packed, [len(bias) for bias in network.biases[:-1]]
    absolute, filled = np.abs(layers.transposed), [int(width) for width in layers.widths[1:-1]]
    known = [
        functional.pad(signs, (0, width - signs.shape[1]), value=1)
        for signs, width in zip(pattern, filled, strict=True)
    ]
    n, d = corners[0].shape
    nothing = torch.zeros(n, 0, dtype=torch.int8)
    lower, gain, others = torch.empty(3, n, dtype=torch.float64)
    slope, plain, felt = torch.empty(3, n, d, dtype=torch.float64)
    signs = torch.empty(n, sum(filled), dtype=torch.int8)
    tensors = (lower, slope, plain, felt, signs, gain, others)
    found = kernels.Results(*(tensor.numpy() for tensor in tensors))
    given = (*corners, y, rivals, torch.cat([nothing, *known], dim=1), windows)
    asked = kernels.Questions(*(tensor.contiguous().numpy() for tensor in given))

    def run(first: int, last: int) -> None:
        memory, how = kernels.memory(layers), kernels.Steps(*steps)
        kernels.bound_boxes(layers, memory, absolute, asked, how, first, last, found)

    shared(run, n, PIECE)
    parts = torch.split(signs, filled, dim=1)
    settled = tuple(part[:, :width] for part, width in zip(parts, widths, strict=True))
    return Bound(lower, slope, plain, felt, settled, gain, others)
