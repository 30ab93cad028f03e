"""Matrix products for dense ReLU networks: oneDNN's, where they round as torch's own do.

On many processors oneDNN's kernels are faster than those behind ``torch.nn.functional.linear`` and
``torch.mm``, and one of them does a layer and its ReLU at once.
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

# From rows, weight and bias; and from rows and weight.
Layer: TypeAlias = "Callable[[Tensor, Tensor, Tensor | None], Tensor]"
Product: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"

# From so many rows on oneDNN's kernels are the faster ones (benchmarks/kernels.py).
FUSED_ROWS = 512
# Rows of the probes that two kernels are compared on: many, and odd numbers of them.
PROBES = (FUSED_ROWS, 2048, 4 * FUSED_ROWS - 5)
# glibc gives freed memory beyond its threshold back to the system, and takes it again page by page;
# with the activations of every chunk that costs up to half of the time.
KEPT_BYTES = 1 << 27
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MMAP_BYTES = 1 << 25


def has_onednn() -> bool:
    """Tell whether torch was built with oneDNN and has the operation used here."""
    built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built_in and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return max(x Wᵀ + b, 0) by torch's own kernels."""
    return functional.linear(x, weight, bias).relu_()


def _fused_linear_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "relu", [], "")
    return found


def _fused_product(x: Tensor, weight: Tensor) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight.t(), None, "none", [], "")
    return found


@cache
def layer_kernel(n_out: int, n_in: int, *, has_bias: bool) -> Layer:
    """Return oneDNN's layer of this shape if it rounds as torch's does, else torch's.

    oneDNN's makes 0 of NaN.
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
    """Return oneDNN's x W with a weight of this shape if it rounds as torch's, else torch's."""
    weight, probes = drawn(n_out, n_in), [drawn(n, n_out) for n in PROBES]
    same = all(torch.equal(torch.mm(rows, weight), _fused_product(rows, weight)) for rows in probes)
    return _fused_product if same else torch.mm


def drawn(*shape: int) -> Tensor:
    """Return normal numbers of this shape, float32, the same at every call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@cache
def keep_memory() -> None:
    """Let glibc keep what is freed, up to ``KEPT_BYTES``, for the next chunk."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
