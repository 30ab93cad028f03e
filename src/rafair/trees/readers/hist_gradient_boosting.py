"""scikit-learn's HistGradientBoosting, with its own categories and empty cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.trees.table import Reading, TreeTable

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["accepts", "read"]

WORD = 32


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted HistGradientBoostingClassifier."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.ensemble import HistGradientBoostingClassifier

    return isinstance(model, HistGradientBoostingClassifier) and hasattr(model, "classes_")


def read(model: Any) -> Reading:
    """Read the trees; thresholds, rows and sums are float64."""
    k = len(model.classes_)
    trees = [
        _tree(one, place if k > 2 else 1, k)
        for members in model._predictors
        for place, one in enumerate(members)
    ]
    start = np.asarray(model._baseline_prediction, np.float64).ravel()
    base = np.array([0.0, start[0]]) if k == 2 else start
    table = TreeTable.of(trees, base, "softmax", np.finfo(float).eps / 2)

    def numbers(rows: Any) -> npt.NDArray[np.float64]:
        return np.asarray(model._preprocess_X(rows, reset=False), dtype=np.float64)

    return Reading(table, numbers, _sources(model))


def _sources(model: Any) -> tuple[int, ...]:
    """Return the columns in the order of the model's preprocessor: categories come first."""
    if model._preprocessor is None or model.is_categorical_ is None:
        return tuple(range(model.n_features_in_))
    flags = np.asarray(model.is_categorical_, dtype=np.bool_)
    return (*np.flatnonzero(flags).tolist(), *np.flatnonzero(~flags).tolist())


def _tree(predictor: Any, place: int, k: int) -> TreeTable:
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    value = np.zeros((len(nodes), k))
    value[:, place] = np.where(is_leaf, nodes["value"], 0.0)
    left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(is_leaf, -1, nodes["right"].astype(np.int64))
    found = TreeTable.tree(left, right, nodes["feature_idx"], nodes["num_threshold"], value)
    is_set = nodes["is_categorical"].astype(np.bool_) & ~is_leaf
    rows = nodes["bitset_idx"][is_set]
    categories = np.full(len(nodes), -1, np.int32)
    categories[is_set] = np.arange(len(rows))
    return replace(
        found,
        missing_left=nodes["missing_go_to_left"].astype(np.bool_),
        categories=categories,
        sets=tuple(_members(predictor.raw_left_cat_bitsets[row]) for row in rows),
    )


def _members(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Return the numbers of the bits that are set."""
    bits = (words[:, None] >> np.arange(WORD, dtype=np.uint32)) & 1
    return np.flatnonzero(bits.ravel()).astype(np.float64)
