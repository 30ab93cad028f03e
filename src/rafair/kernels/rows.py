"""Scores and gradients of the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from rafair.kernels.compiling import NETWORK, TABLE, WORDS, entry
from rafair.kernels.lanes import LANES
from rafair.kernels.passes import WORKSPACE, backward, forward

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rafair.kernels.network import Network
    from rafair.kernels.passes import Workspace

__all__ = ["LANES", "pull_back", "scores"]


@entry(NETWORK, WORKSPACE, TABLE, types.int64, types.int64, TABLE, WORDS)
def scores(
    network: Network,
    work: Workspace,
    rows: NDArray[np.float32],
    first: int,
    last: int,
    found: NDArray[np.float32],
    patterns: NDArray[np.uint32],
) -> None:
    """Write the scores of some rows, and which neurons they activate.

    Parameters
    ----------
    rows : array, shape (n, d)
    first, last : int
        The blocks from first to before last; block b begins at row b · LANES.
    found : array, shape (n, k)
    patterns : array, shape (blocks, hidden neurons)
        Bit r of a word tells whether the neuron is active in row r of the block.
    """
    for block in range(first, last):
        start = block * LANES
        n = min(LANES, len(rows) - start)
        for lane in range(n):
            for feature in range(network.n_features):
                work.inputs[feature, lane] = rows[start + lane, feature]
        outputs = work.blocks[forward(network, patterns[block], work)]
        for lane in range(n):
            for label in range(network.n_scores):
                found[start + lane, label] = outputs[label, lane]


@entry(NETWORK, WORKSPACE, TABLE, WORDS, types.int64, types.int64, TABLE)
def pull_back(
    network: Network,
    work: Workspace,
    outer: NDArray[np.float32],
    patterns: NDArray[np.uint32],
    first: int,
    last: int,
    gradients: NDArray[np.float32],
) -> None:
    """Write Σⱼ outerⱼ ∂zⱼ/∂x, shape (n, d), for outer (n, k) and the patterns of ``scores``."""
    for block in range(first, last):
        start = block * LANES
        n = min(LANES, len(outer) - start)
        for lane in range(n):
            for label in range(network.n_scores):
                work.outer[label, lane] = outer[start + lane, label]
        outputs = work.blocks[0]
        backward(network, patterns[block], work, outputs)
        for lane in range(n):
            for feature in range(network.n_features):
                gradients[start + lane, feature] = outputs[feature, lane]
