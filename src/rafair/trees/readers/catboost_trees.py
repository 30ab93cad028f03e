"""CatBoost's trees of numbers, from the JSON that the library itself writes."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.adapters.catboost_model import AskedCatBoost
from rafair.models.extras import comes_from
from rafair.trees.table import Reading, TreeTable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["accepts", "read"]


def accepts(model: Any) -> bool:
    """Tell whether a model is CatBoost's, as the adapter asks it or inside a pipeline."""
    if isinstance(model, AskedCatBoost):
        return True
    if not comes_from(model, "catboost"):
        return False
    return isinstance(model, sys.modules["catboost"].CatBoostClassifier)


def read(model: Any) -> Reading:
    """Read the trees; borders and rows are float32, sums are float64."""
    if isinstance(model, AskedCatBoost):
        if model.threshold is not None:
            raise Unreadable("a CatBoost model with a threshold of its own")
        model = model.model
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise Unreadable("CatBoost's own coding of categories and texts")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json")
        told = json.loads(path.read_text(encoding="utf-8"))
    floats = told["features_info"]["float_features"]
    scale, bias = told["scale_and_bias"]
    k = max(2, len(bias))
    of_kind = {"oblivious_trees": _symmetric, "trees": _grown}
    kind = next(name for name in of_kind if name in told)
    trees = [of_kind[kind](tree, floats, k, float(scale)) for tree in told[kind]]
    base = np.array([0.0, bias[0]] if len(bias) == 1 else bias, np.float64)
    table = TreeTable.of(trees, base, "softmax", np.finfo(float).eps / 2)
    return Reading(table, _numbers, tuple(range(len(model.feature_names_))))


def _numbers(rows: Any) -> npt.NDArray[np.float64]:
    return np.asarray(rows, dtype=np.float32).astype(np.float64)


def _grown(
    root: Mapping[str, Any], floats: Sequence[Mapping[str, Any]], k: int, scale: float
) -> TreeTable:
    """Return a tree of the growing policies Depthwise and Lossguide."""
    waiting, kids = [root], []
    for node in waiting:  # grows while it is read
        if "split" not in node:
            kids.append((-1, -1))
            continue
        kids.append((len(waiting), len(waiting) + 1))
        waiting += [node["left"], node["right"]]
    column, threshold = np.full(len(waiting), -1), np.zeros(len(waiting))
    value = np.zeros((len(waiting), k))
    for at, node in enumerate(waiting):
        if "split" in node:
            column[at], threshold[at] = _test(node["split"], floats)
        else:
            value[at, 0 if k > 2 else 1 :] = scale * np.array(node["value"], np.float64)
    left, right = np.array(kids).T
    return TreeTable.tree(left, right, column, threshold, value)


def _test(split: Mapping[str, Any], floats: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    """Return the column and the border of a test."""
    if split["split_type"] != "FloatFeature":
        raise Unreadable("CatBoost's own coding of categories")
    column = floats[split["float_feature_index"]]["flat_feature_index"]
    return int(column), float(np.float32(split["border"]))


def _symmetric(
    tree: Mapping[str, Any], floats: Sequence[Mapping[str, Any]], k: int, scale: float
) -> TreeTable:
    """Return a tree whose level l has test l, and whose kids of node n are 2n + 1 and 2n + 2."""
    splits = [_test(split, floats) for split in tree["splits"] or []]
    depth, n_inner = len(splits), 2 ** len(splits) - 1
    level = np.floor(np.log2(np.arange(1, n_inner + 1))).astype(np.int64)
    column, threshold = np.full(2 * n_inner + 1, -1), np.zeros(2 * n_inner + 1)
    kids = np.full((2, 2 * n_inner + 1), -1)
    if depth:
        flat, border = np.array(splits).T
        column[:n_inner], threshold[:n_inner] = flat[level], border[level]
        kids[:, :n_inner] = 2 * np.arange(n_inner) + np.array([[1], [2]])
    # Of the number of a leaf, the first test is the last bit; from left to right it is the first.
    place = np.arange(n_inner + 1)
    leaf = sum(((place >> (depth - 1 - at)) & 1) << at for at in range(depth)) + 0 * place
    numbers = scale * np.array(tree["leaf_values"], np.float64).reshape(n_inner + 1, -1)[leaf]
    value = np.zeros((2 * n_inner + 1, k))
    value[n_inner:] = numbers if k > 2 else np.pad(numbers, [(0, 0), (1, 0)])
    return TreeTable.tree(kids[0], kids[1], column, threshold, value)
