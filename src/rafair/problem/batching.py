"""Send rows through a model in batches; the result does not depend on the batch size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.problem.dense import dense_network

if TYPE_CHECKING:
    from rafair.models import Classifier

__all__ = ["AUTO", "BatchSize", "all_finite", "forward_rows", "padded", "rows_per_call"]

BatchSize: TypeAlias = int | Literal["auto"]
AUTO: Literal["auto"] = "auto"

# Rows per batch. On a CPU the activations of a batch stay in a core's cache (benchmarks/).
CPU_ROWS = 2048
GPU_ROWS = 1 << 18
# The kernels for dense networks keep activations in the cache by themselves.
DENSE_ROWS = 1 << 15

# The rest is for models that torch computes; the kernels need none of it.
#
# Below about 16 rows, matrix products use other kernels, which round differently: in float32, MKL
# gave a row other last bits in batches of 1 to 8 rows than in any larger batch. Smaller batches are
# padded to this number of rows, so that the result for a row does not depend on the other rows. (If
# the width of the rows is not a multiple of 4, MKL_CBWR must be set too; rafair/__init__.py does.)
MIN_ROWS = 64
# In float64, but not in float32, MKL gave the rows after the last multiple of 4 other last bits
# than the rows before. Batches in float64 are padded to a multiple of this number.
ROW_BLOCK = 16


def rows_per_call(batch_size: BatchSize, model: Classifier) -> int:
    """Return how many rows go through a model at once.

    Raises
    ------
    InvalidInput
        If ``batch_size`` is neither ``"auto"`` nor a positive whole number.
    """
    if batch_size == AUTO:
        return _auto_rows(model)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidInput(f"batch_size must be 'auto' or a positive number, not {batch_size!r}")
    return batch_size


def _auto_rows(model: Classifier) -> int:
    if model.device.type != "cpu":
        return GPU_ROWS
    return CPU_ROWS if dense_network(model) is None else DENSE_ROWS


def padded(rows: Tensor) -> Tensor:
    """Repeat the last row until the batch is large enough for the kernels of large batches."""
    block = ROW_BLOCK if rows.dtype == torch.float64 else 1
    lacking = max(MIN_ROWS - len(rows), -len(rows) % block)
    return torch.cat([rows, rows[-1:].expand(lacking, -1)]) if lacking > 0 else rows


def all_finite(values: Tensor) -> bool:
    """Tell whether no entry is NaN or infinite.

    It looks at the smallest and the largest entry; ``torch.isfinite`` takes far longer.
    """
    return not values.numel() or all(map(math.isfinite, torch.aminmax(values.detach())))


def forward_rows(model: Classifier, rows: Tensor) -> Tensor:
    """Return the scores of rows (n, d), shape (n, k), in the model's type, without autograd.

    Raises
    ------
    InvalidInput
        If a score is NaN or infinite.
    """
    given, network = rows.detach().to(model.device, model.dtype), dense_network(model)
    if network is not None and network.takes(given):
        scores = network.scores(given)
    else:
        if model.access == "gradient":  # other models are asked about these rows only
            given = padded(given)
        with torch.no_grad():
            scores = model.scores(given)[: len(rows)]
    if not all_finite(scores):
        raise InvalidInput("the model returned NaN or infinity; it cannot be judged")
    return scores
