"""Print the R-AF that no model can exceed on the test split of a benchmark, at ε = 0.05.

python scripts/ceiling.py adult             # seconds

Where the sets I(v) × Δ of two people with different labels have a point in common, a model is
wrong there for one of the two. So the people for whom a model is robustly, accurately fair are
independent in the graph of such pairs; with two classes it is bipartite, and by Kőnig's theorem the
largest independent set has as many people as there are, less the size of a largest matching. As
in Bhagoji, Cullina and Mittal, Lower Bounds on Adversarial Robustness from Optimal Transport
(NeurIPS 2019).

In the setting *paper* Δ is a box, and on the benchmarks I(v) has all combinations of sensitive
values for everybody: the sets have a point in common where the boxes of the other columns do.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

import rafair
from rafair.datasets import Dataset

EPSILON = 0.05
# Rows of one class that are compared at once with all of the other.
AT_ONCE = 50


def conflicts(low: torch.Tensor, high: torch.Tensor, y: torch.Tensor) -> csr_matrix:
    """Return which boxes of class 1 (rows) and class 0 (columns) have a point in common."""
    one, zero = y == 1, y == 0
    rows = [
        ((lows[:, None] <= high[zero]) & (highs[:, None] >= low[zero])).all(dim=2)
        for lows, highs in zip(low[one].split(AT_ONCE), high[one].split(AT_ONCE), strict=True)
    ]
    return csr_matrix(torch.cat(rows).numpy())


def ceiling(data: Dataset) -> float:
    """Return the largest share of test people for whom one model can be right."""
    space = rafair.PerturbationSpace.of(data.schema, EPSILON, "paper")
    low, high = space.hull(data.test.x.double())
    kept = [j for j, feature in enumerate(data.schema.features) if not feature.sensitive]
    pairs = conflicts(low[:, kept], high[:, kept], data.test.y)
    matched = maximum_bipartite_matching(pairs, perm_type="column") >= 0
    return 1 - float(np.count_nonzero(matched)) / len(data.test)


def main() -> None:
    """Print the figure of each benchmark that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="+", choices=("adult", "bank", "compas", "credit"))
    for name in parser.parse_args().dataset:
        print(f"{name}: {ceiling(rafair.load_dataset(name)):.3f}", flush=True)


if __name__ == "__main__":
    main()
