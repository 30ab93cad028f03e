"""Sums of stumps and trees: the stumps of a feature are one tree, whose bounds are exact."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.stumps import Stumps
from rafair.trees.table import Reading, TreeTable

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["accepts", "read"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a sum of stumps."""
    return isinstance(model, Stumps)


def read(model: Stumps) -> Reading:
    """Read the stumps; all numbers are float64, and a test is ``<``."""
    trees = [_tree(place, cuts.numpy(), sums.numpy()) for place, cuts, sums in model.tables()]
    if model.trees is not None:
        parts = (model.trees.feature, model.trees.cut, model.trees.value)
        numbers = zip(*(part.numpy() for part in parts), strict=True)
        trees += [_of_depth(*tree) for tree in numbers]
    base = np.array([0.0, float(model.base)])
    table = TreeTable.of(trees, base, "softmax", float(np.finfo(np.float64).eps) / 2)
    return Reading(table, lambda rows: np.asarray(rows, np.float64), tuple(range(model.width)))


def _tree(place: int, cuts: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> TreeTable:
    """Return a balanced tree that adds sums[i] between cuts i − 1 and i of a feature."""
    left: list[int] = []
    right: list[int] = []
    cut: list[float] = []
    value: list[float] = []

    def grow(first: int, last: int) -> int:
        """Add the nodes over sums[first] … sums[last]; return the number of the top one."""
        node, middle = len(left), (first + last + 1) // 2
        is_leaf = first == last
        left.append(-1)
        right.append(-1)
        cut.append(0.0 if is_leaf else float(cuts[middle - 1]))
        value.append(float(sums[first]) if is_leaf else 0.0)
        if not is_leaf:
            left[node], right[node] = grow(first, middle - 1), grow(middle, last)
        return node

    grow(0, len(cuts))
    found = TreeTable.tree(left, right, np.full(len(left), place), cut, value)
    return replace(found, is_strict=np.asarray(left) >= 0)


def _of_depth(
    feature: npt.NDArray[np.int64], cut: npt.NDArray[np.float64], value: npt.NDArray[np.float64]
) -> TreeTable:
    """Return a tree of ``Trees``: its inner nodes, then its leaves."""
    inner = np.arange(len(feature))
    none = np.full(len(value), -1)
    left, right = (np.concatenate([2 * inner + side, none]) for side in (1, 2))
    nothing = np.zeros(len(value))
    found = TreeTable.tree(
        left,
        right,
        np.concatenate([feature, none]),
        np.concatenate([cut, nothing]),
        np.concatenate([np.zeros(len(feature)), value]),
    )
    return replace(found, is_strict=left >= 0)
