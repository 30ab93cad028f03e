"""The combinations of the values of several columns, all of them or a sample."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import numpy as np
import torch

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

__all__ = ["MAX_COMBINATIONS", "check_grid", "combinations", "tiles"]

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


def check_grid(columns: tuple[int, ...], grid: Tensor, within: tuple[float, ...]) -> None:
    """Refuse a grid of combinations, and distances, that do not fit the columns.

    Raises
    ------
    InvalidInput
        See ``Counterparts``.
    """
    if grid.ndim != 2 or grid.shape[0] < 1 or grid.shape[1] != len(columns):
        raise InvalidInput(
            f"counterparts: the grid has shape {tuple(grid.shape)}; it must be "
            f"(combinations, {len(columns)}), one column per sensitive column"
        )
    if len(set(columns)) != len(columns) or any(column < 0 for column in columns):
        raise InvalidInput(f"counterparts: columns {columns} must be different and not negative")
    if not torch.isfinite(grid).all():
        raise InvalidInput("counterparts: the grid holds NaN or infinity")
    if len(within) != len(columns) or not all(width >= 0 for width in within):
        raise InvalidInput(
            f"counterparts: within must have {len(columns)} distances, none of them negative, "
            f"not {within}"
        )


def tiles(n: int, m: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Cut n seeds × m combinations into tiles of at most ``rows`` rows.

    A tile holds all combinations of one or more seeds if they fit, otherwise some combinations of
    one seed. Joined in order, the rows of the tiles are those of ``Counterparts.rows``.

    Yields
    ------
    seeds, combinations : slice
    """
    if rows >= m:
        step = rows // m
        yield from ((slice(at, min(at + step, n)), slice(0, m)) for at in range(0, n, step))
        return
    for seed in range(n):
        for at in range(0, m, rows):
            yield slice(seed, seed + 1), slice(at, min(at + rows, m))
