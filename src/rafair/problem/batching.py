"""How many rows go through a model at once, such that the result never depends on it."""

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

# Rows whose activations stay in a core's cache (measured in benchmarks/), and many for a GPU.
CPU_ROWS = 2048
GPU_ROWS = 1 << 18
# A dense network goes through fewer and larger kernels: as many rows as leave so many activations.
DENSE_ACTIVATIONS, DENSE_ROWS = 5 << 20, 1 << 14

# Matrix products switch to other kernels, with other rounding, below about 16 rows: MKL in float32
# gave a row other last bits in batches of 1 to 8 than in any larger one. Smaller batches are padded
# to this many rows, so that one row's numbers never depend on its company. (For rows of other
# widths than multiples of 4, MKL_CBWR must be set as well: rafair/__init__.py does.)
MIN_ROWS = 64
# In float64, not in float32, MKL gave rows beyond the last multiple of 4 other last bits than those
# before them.
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
    network = dense_network(model)
    if network is None:
        return CPU_ROWS
    return min(max(DENSE_ACTIVATIONS // network.n_activations, MIN_ROWS), DENSE_ROWS)


def padded(rows: Tensor) -> Tensor:
    """Repeat the last row until there are enough for the kernels that large batches use."""
    block = ROW_BLOCK if rows.dtype == torch.float64 else 1
    lacking = max(MIN_ROWS - len(rows), -len(rows) % block)
    return torch.cat([rows, rows[-1:].expand(lacking, -1)]) if lacking > 0 else rows


def all_finite(values: Tensor) -> bool:
    """Tell whether no entry is NaN or infinite, by the extremes: isfinite takes far longer."""
    return not values.numel() or all(map(math.isfinite, torch.aminmax(values.detach())))


def forward_rows(model: Classifier, rows: Tensor) -> Tensor:
    """Return the scores (n, k) of rows (n, d) in the model's type, without a graph.

    Raises
    ------
    InvalidInput
        If a score is NaN or infinite.
    """
    given = rows.to(model.device, model.dtype)
    if model.access == "gradient":  # a model that is asked is asked about these rows alone
        given = padded(given)
    with torch.no_grad():
        network = dense_network(model)
        fast = network is not None and network.takes(given)
        scores = (network.scores(given) if network and fast else model.scores(given))[: len(rows)]
    if not all_finite(scores):
        raise InvalidInput("the model returned NaN or infinity; it cannot be judged")
    return scores
