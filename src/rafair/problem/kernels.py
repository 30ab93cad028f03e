"""Matrix products for dense ReLU networks, by oneDNN where it gives the same bits as torch.

On many processors oneDNN's kernels are faster than those behind ``torch.nn.functional.linear`` and
``torch.mm``, and one kernel computes a layer and its ReLU together.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FUSED_ROWS",
    "PROBES",
    "Layer",
    "Product",
    "drawn",
    "has_onednn",
    "keep_memory",
    "layer_kernel",
    "linear_relu",
    "product_kernel",
]

# Layer: from rows, weight and bias to max(x Wᵀ + b, 0). Product: from rows and weight to x W.
Layer: TypeAlias = "Callable[[Tensor, Tensor, Tensor | None], Tensor]"
Product: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"

# From this number of rows on, oneDNN's kernels are faster (benchmarks/kernels.py).
FUSED_ROWS = 512
# Numbers of rows on which two kernels are compared; one is odd.
PROBES = (FUSED_ROWS, 2048, 4 * FUSED_ROWS - 5)
# By default, glibc returns large blocks of freed memory to the system and requests them again page
# by page. For the activations of every batch this takes up to half of the time. Here glibc keeps
# KEPT_BYTES of freed memory, and maps only blocks above MMAP_BYTES one by one.
KEPT_BYTES = 1 << 27
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MMAP_BYTES = 1 << 25


def has_onednn() -> bool:
    """Tell whether torch was built with oneDNN and has the operation that this module uses."""
    built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built_in and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return max(x Wᵀ + b, 0), computed by torch's own kernels."""
    return functional.linear(x, weight, bias).relu_()


def _fused_linear_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "relu", [], "")
    return found


def _fused_product(x: Tensor, weight: Tensor) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight.t(), None, "none", [], "")
    return found


@cache
def layer_kernel(n_out: int, n_in: int, *, has_bias: bool) -> Layer:
    """Return oneDNN's kernel for a layer of this shape if it gives torch's bits, else torch's.

    oneDNN's kernel turns NaN into 0.
    """
    weight, bias = drawn(n_out, n_in), drawn(n_out) if has_bias else None
    probes = [drawn(n, n_in) for n in PROBES]
    same = all(
        torch.equal(linear_relu(rows, weight, bias), _fused_linear_relu(rows, weight, bias))
        for rows in probes
    )
    return _fused_linear_relu if same else linear_relu


@cache
def product_kernel(n_out: int, n_in: int) -> Product:
    """Return oneDNN's kernel for x W, W of this shape, if it gives torch's bits, else torch's."""
    weight, probes = drawn(n_out, n_in), [drawn(n, n_out) for n in PROBES]
    same = all(torch.equal(torch.mm(rows, weight), _fused_product(rows, weight)) for rows in probes)
    return _fused_product if same else torch.mm


def drawn(*shape: int) -> Tensor:
    """Draw standard normal numbers of this shape, float32, the same at every call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@cache
def keep_memory() -> None:
    """Let this process keep up to ``KEPT_BYTES`` of freed memory for its next batch."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
