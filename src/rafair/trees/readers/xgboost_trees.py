"""XGBoost's trees, from the JSON that the library itself writes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.adapters.xgboost_model import AskedBooster, booster_of
from rafair.models.extras import comes_from
from rafair.models.sparse import dense
from rafair.trees.table import Reading, TreeTable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["accepts", "read"]

SOFTMAX = ("binary:logistic", "binary:logitraw", "multi:softprob", "multi:softmax")
WHERE_LOGIT = ("binary:logistic",)


def accepts(model: Any) -> bool:
    """Tell whether a model is a booster, as the adapter asks it, or an XGBClassifier."""
    if isinstance(model, AskedBooster):
        return True
    if not comes_from(model, "xgboost"):
        return False
    import xgboost

    return isinstance(model, xgboost.XGBClassifier)


def read(model: Any) -> Reading:
    """Read the trees; thresholds, rows and sums are float32, and a test is ``<``."""
    is_asked = isinstance(model, AskedBooster)
    booster, rounds = (model.booster, model.rounds) if is_asked else booster_of(model)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective not in SOFTMAX:
        raise Unreadable(f"trees of the objective {objective!r}")
    name = learner["gradient_booster"]["name"]
    if name != "gbtree":
        raise Unreadable(f"XGBoost's booster {name!r}")
    inner = learner["gradient_booster"]["model"]
    k = max(2, int(learner["learner_model_param"]["num_class"]))
    ends = inner["iteration_indptr"]
    last = ends[rounds] if rounds else len(inner["trees"])
    trees = [
        _tree(tree, place if k > 2 else 1, k)
        for tree, place in zip(inner["trees"][:last], inner["tree_info"][:last], strict=True)
    ]
    base = _base(learner, objective, k)
    table = TreeTable.of(trees, base, "softmax", float(np.finfo(np.float32).eps) / 2)
    width = int(learner["learner_model_param"]["num_feature"])
    return Reading(table, _Numbers(booster), tuple(range(width)))


def _base(learner: Mapping[str, Any], objective: str, k: int) -> npt.NDArray[np.float64]:
    text = str(learner["learner_model_param"]["base_score"])
    given = np.array(json.loads(text if text.startswith("[") else f"[{text}]"), np.float64)
    if k > 2:
        return np.broadcast_to(given, (k,)).copy()
    start = float(given[0])
    return np.array([0.0, np.log(start / (1 - start)) if objective in WHERE_LOGIT else start])


def _tree(tree: Mapping[str, Any], place: int, k: int) -> TreeTable:
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    numbers = np.array(tree["split_conditions"], np.float32).astype(np.float64)
    value = np.zeros((len(left), k))
    value[:, place] = np.where(left < 0, numbers, 0.0)
    found = TreeTable.tree(left, right, tree["split_indices"], numbers, value)
    missing = np.array(tree["default_left"], np.bool_)
    found = replace(found, is_strict=left >= 0, missing_left=missing)
    return _with_categories(found, tree)


def _with_categories(found: TreeTable, tree: Mapping[str, Any]) -> TreeTable:
    """Turn around the tests of categories, which XGBoost sends to the right."""
    nodes = np.array(tree["categories_nodes"], np.int64)
    if not len(nodes):
        return found
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    listed = np.array(tree["categories"], np.float64)
    left, right = found.left.copy(), found.right.copy()
    left[nodes], right[nodes] = found.right[nodes], found.left[nodes]
    missing, categories = found.missing_left.copy(), found.categories.copy()
    missing[nodes], categories[nodes] = ~missing[nodes], np.arange(len(nodes))
    sets = tuple(listed[at : at + n] for at, n in zip(starts, sizes, strict=True))
    return replace(
        found, left=left, right=right, missing_left=missing, categories=categories, sets=sets
    )


class _Numbers:
    """Codes levels as a booster does, and rounds numbers to float32."""

    def __init__(self, booster: Any) -> None:
        kinds, names = booster.feature_types or (), booster.feature_names or ()
        self.levels: dict[str, list[Any]] = {}
        if "c" in kinds and names:
            known = dict(booster.get_categories(export_to_arrow=True).to_arrow())
            self.levels = {
                name: known[name].to_pylist()
                for name, kind in zip(names, kinds, strict=True)
                if kind == "c"
            }

    def __call__(self, rows: Any) -> npt.NDArray[np.float64]:
        """Return the numbers that the trees compare, shape (n, columns)."""
        import pandas as pd

        if self.levels:
            codes = {
                name: pd.Categorical(rows[name], categories=levels).codes
                for name, levels in self.levels.items()
            }
            rows = rows.assign(**codes)
            numbers = np.asarray(rows, dtype=np.float32).astype(np.float64)
            for name in self.levels:
                column = numbers[:, list(rows.columns).index(name)]
                column[column < 0] = np.nan
            return numbers
        return np.asarray(dense(rows), dtype=np.float32).astype(np.float64)
