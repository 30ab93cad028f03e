"""LightGBM's trees, from the description that the library itself gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.adapters.lightgbm_model import AskedBooster, booster_of
from rafair.models.extras import comes_from
from rafair.models.sparse import dense
from rafair.trees.table import Reading, TreeTable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["accepts", "read"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a booster, as the adapter asks it, or an LGBMClassifier."""
    if isinstance(model, AskedBooster):
        return True
    if not comes_from(model, "lightgbm"):
        return False
    import lightgbm

    return isinstance(model, lightgbm.LGBMClassifier)


def read(model: Any) -> Reading:
    """Read the trees; thresholds, rows and sums are float64."""
    is_asked = isinstance(model, AskedBooster)
    booster = model.booster if is_asked else booster_of(model)
    told = booster.dump_model()
    objective, *options = str(told.get("objective", "")).split()
    if objective not in ("binary", "multiclass") or told.get("average_output"):
        raise Unreadable(f"LightGBM's trees of the objective {objective!r}")
    steep = dict(option.split(":") for option in options if ":" in option).get("sigmoid", "1")
    k = max(2, int(told["num_class"]))
    trees = [
        _tree(one["tree_structure"], place % k if k > 2 else 1, k, float(steep))
        for place, one in enumerate(told["tree_info"])
    ]
    table = TreeTable.of(trees, np.zeros(k), "softmax", np.finfo(float).eps / 2)
    levels = booster.pandas_categorical or []

    def numbers(rows: Any) -> npt.NDArray[np.float64]:
        return _coded(model.typed(rows) if is_asked else rows, levels)

    return Reading(table, numbers, tuple(range(booster.num_feature())))


def _coded(rows: Any, levels: list[list[Any]]) -> npt.NDArray[np.float64]:
    """Return numbers, with the codes of columns of type ``category`` in training."""
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        return np.asarray(dense(rows), dtype=np.float64)
    columns, known = {}, iter(levels)
    for name in rows.columns:
        if isinstance(rows[name].dtype, pd.CategoricalDtype):
            codes = rows[name].cat.set_categories(next(known)).cat.codes.to_numpy(np.float64)
            columns[name] = np.where(codes < 0, np.nan, codes)
        else:
            columns[name] = rows[name].to_numpy(np.float64)
    return np.stack(list(columns.values()), axis=1)


def _tree(root: Mapping[str, Any], place: int, k: int, steep: float) -> TreeTable:
    nodes = _listed(root)
    column = np.full(len(nodes), -1)
    sets: list[npt.NDArray[np.float64]] = []
    threshold, value = np.zeros(len(nodes)), np.zeros((len(nodes), k))
    missing, categories = np.zeros(len(nodes), np.bool_), np.full(len(nodes), -1, np.int32)
    kids = np.full((2, len(nodes)), -1)
    for at, (node, left, right) in enumerate(nodes):
        if left < 0:
            _check_constant(node)
            value[at, place] = steep * node["leaf_value"]
            continue
        column[at], kids[:, at] = node["split_feature"], (left, right)
        if node["decision_type"] == "==":
            categories[at] = len(sets)
            sets.append(np.array(str(node["threshold"]).split("||"), np.float64))
        else:
            threshold[at], missing[at] = float(node["threshold"]), _missing_left(node)
    found = TreeTable.tree(kids[0], kids[1], column, threshold, value)
    return replace(found, missing_left=missing, categories=categories, sets=tuple(sets))


def _listed(root: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], int, int]]:
    """Return the nodes of a tree, each with the places of its kids; −1 for none."""
    waiting, kids = [root], []
    for node in waiting:  # grows while it is read
        if "split_feature" not in node:
            kids.append((-1, -1))
            continue
        kids.append((len(waiting), len(waiting) + 1))
        waiting += [node["left_child"], node["right_child"]]
    return [(node, *pair) for node, pair in zip(waiting, kids, strict=True)]


def _check_constant(leaf: Mapping[str, Any]) -> None:
    if leaf.get("leaf_features"):
        raise Unreadable("LightGBM's linear trees")


def _missing_left(node: Mapping[str, Any]) -> bool:
    """Tell where an empty cell goes: without any in training, LightGBM reads it as 0."""
    if node["missing_type"] == "Zero":
        raise Unreadable("LightGBM's trees that read 0 as an empty cell")
    if node["missing_type"] == "None":
        return float(node["threshold"]) >= 0.0
    return bool(node["default_left"])
