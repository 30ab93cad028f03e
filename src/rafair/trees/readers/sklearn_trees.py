"""scikit-learn's trees: one alone, forests, extra trees and GradientBoosting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.models.sparse import dense
from rafair.trees.table import Reading, TreeTable, Unreadable

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["accepts", "read"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted tree or a sum of such trees."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn import ensemble, tree

    kinds = (
        tree.DecisionTreeClassifier,
        ensemble.RandomForestClassifier,
        ensemble.ExtraTreesClassifier,
        ensemble.GradientBoostingClassifier,
    )
    return isinstance(model, kinds) and hasattr(model, "classes_")


def read(model: Any) -> Reading:
    """Read the trees; their thresholds are float64, and rows are float32."""
    from sklearn.ensemble import GradientBoostingClassifier

    if getattr(model, "n_outputs_", 1) != 1:
        raise Unreadable("the model decides several labels at once")
    is_boosted = isinstance(model, GradientBoostingClassifier)
    table = _boosted(model) if is_boosted else _averaged(model)
    return Reading(table, _numbers, tuple(range(model.n_features_in_)))


def _numbers(rows: Any) -> npt.NDArray[np.float64]:
    return np.asarray(dense(rows), dtype=np.float32).astype(np.float64)


def _averaged(model: Any) -> TreeTable:
    """Return trees whose shares of the classes are added."""
    trees = [_tree(one.tree_, one.tree_.value[:, 0, :]) for one in _members(model)]
    return TreeTable.of(trees, np.zeros(len(model.classes_)), "share", np.finfo(float).eps / 2)


def _members(model: Any) -> list[Any]:
    return list(getattr(model, "estimators_", [model]))


def _boosted(model: Any) -> TreeTable:
    """Return trees whose leaves add to the logit of one class."""
    k, rounds = len(model.classes_), model.estimators_
    if model.init_ != "zero" and type(model.init_).__name__ != "DummyClassifier":
        raise Unreadable("GradientBoosting with an initial model of its own")
    trees = []
    for members in rounds:
        for place, one in enumerate(members):
            leaf = model.learning_rate * one.tree_.value[:, 0, 0]
            value = np.zeros((len(leaf), k))
            value[:, place if k > 2 else 1] = leaf
            trees.append(_tree(one.tree_, value))
    return TreeTable.of(trees, _first(model, k), "softmax", np.finfo(float).eps / 2)


def _first(model: Any, k: int) -> npt.NDArray[np.float64]:
    """Return the scores before the first tree."""
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
    return np.array([0.0, start[0]]) if k == 2 else np.asarray(start, np.float64)


def _tree(tree: Any, value: npt.NDArray[np.float64]) -> TreeTable:
    from dataclasses import replace

    found = TreeTable.tree(
        tree.children_left, tree.children_right, tree.feature, tree.threshold, value
    )
    return replace(found, missing_left=np.asarray(tree.missing_go_to_left, dtype=np.bool_))
