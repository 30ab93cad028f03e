"""The combinations of the values of several columns, all of them or a sample."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["MAX_COMBINATIONS", "combinations"]

# The largest number of combinations without a sample.
MAX_COMBINATIONS = 1_000_000


def combinations(
    values: Sequence[Sequence[float]], sample: int | None, random_state: int
) -> tuple[Tensor, int]:
    """Return combinations of one value per column, shape (m, s), float64, and how many there are.

    The last column changes fastest. See ``Counterparts.product`` for the parameters and errors.
    """
    axes = [np.asarray(axis, dtype=np.float64).ravel() for axis in values]
    sizes = [len(axis) for axis in axes]
    total = math.prod(sizes)
    if total == 0:
        raise InvalidInput("counterparts: a sensitive column has no value")
    if sample is not None and sample < 1:
        raise InvalidInput(f"counterparts: a sample needs at least 1 combination, not {sample}")
    if sample is None and total > MAX_COMBINATIONS:
        raise InvalidInput(
            f"I(v) has {total:,} combinations; sample some or name fewer sensitive columns"
        )
    if sample is None or sample >= total:
        chosen = np.arange(total)
    else:
        chosen = np.array(sorted(random.Random(random_state).sample(range(total), sample)))  # noqa: S311
    places = np.unravel_index(chosen, sizes)
    grid = np.stack([axis[place] for axis, place in zip(axes, places, strict=True)], axis=1)
    return torch.from_numpy(grid), total
