"""The choice of seeds: getSeeds(V, n) of Algorithm 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rafair.errors import InvalidInput

__all__ = ["choose_seeds"]

CLUSTERS = 4
ROUNDS = 100


def choose_seeds(x: Tensor, n: int | None, random_state: int = 0) -> Tensor:
    """Choose seeds for attacks: cluster the rows by k-means, then draw from each cluster.

    Parameters
    ----------
    x : Tensor, shape (rows, d), unit space
    n : int or None
        Number of seeds, drawn without replacement. Each of the four clusters gets a share in
        proportion to its size (largest remainders). None chooses every row.
    random_state : int
        Of k-means and of the draws.

    Returns
    -------
    Tensor of int64, shape (n,)
        Row numbers in increasing order.

    Raises
    ------
    InvalidInput
        If n is no whole number, below 1 or above the number of rows.

    Source: Li et al., arXiv:2404.01356v1, Algorithm 1 line 1; Lloyd 1982.
    """
    if n is None:
        return torch.arange(len(x))
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidInput(f"the number of seeds must be a positive whole number, not {n!r}")
    if n > len(x):
        raise InvalidInput(f"{n} seeds asked for, but the test split has {len(x)} rows")
    clusters = _clusters(x.cpu().numpy(), random_state)
    generator = np.random.default_rng(random_state)
    chosen = [
        generator.choice(np.flatnonzero(clusters == cluster), size, replace=False)
        for cluster, size in enumerate(_shares(np.bincount(clusters), n))
    ]
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


def _clusters(
    x: np.ndarray[tuple[int, ...], np.dtype[np.float64]], random_state: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    from scipy.cluster.vq import kmeans2

    generator = np.random.default_rng(random_state)
    clusters = min(CLUSTERS, len(np.unique(x, axis=0)))
    centres, labels = kmeans2(x, clusters, iter=1, minit="++", rng=generator)
    # kmeans2 itself runs all its rounds; after one that changes no label, none changes any more.
    for _ in range(ROUNDS - 1):
        before = labels
        centres, labels = kmeans2(x, centres, iter=1, minit="matrix")
        if np.array_equal(labels, before):
            break
    found: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = np.asarray(labels, dtype=np.int64)
    return found


def _shares(sizes: np.ndarray[tuple[int, ...], np.dtype[np.int64]], n: int) -> list[int]:
    quotas = sizes * n / sizes.sum()
    shares = np.floor(quotas).astype(np.int64)
    largest_remainders = np.argsort(shares - quotas, kind="stable")
    shares[largest_remainders[: n - shares.sum()]] += 1
    return [int(share) for share in shares]
