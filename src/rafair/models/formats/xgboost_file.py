"""XGBoost models in JSON or UBJSON, whose indices are checked before XGBoost reads them."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need
from rafair.models.formats.trees import check_places, check_steps, check_tree, damaged
from rafair.models.formats.ubjson import parse_ubjson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "XGBoost"
SUFFIXES: tuple[str, ...] = (".json", ".ubj")
MOST_FEATURES, MOST_CLASSES, MOST_CATEGORIES = 1_000_000, 10_000, 2**24
NO_PARENT = 2**31 - 1
PER_NODE = (
    *("left_children", "right_children", "parents", "default_left", "split_indices"),
    *("split_conditions", "split_type", "base_weights", "loss_changes", "sum_hessian"),
)


def read(path: Path, permission: Permission) -> Any:  # noqa: ARG001 - needs none
    """Return the booster of a file, cut after the best round if early stopping chose one.

    Raises
    ------
    InvalidInput
        If the file is JSON of another kind, or an index in it is out of range: XGBoost would read
        memory outside the model, or end the process.
    """
    data = path.read_bytes()
    binary = path.suffix.lower() == ".ubj"
    about = parse_ubjson(data) if binary else json.loads(data)
    if not isinstance(about, dict) or not isinstance(about.get("learner"), dict):
        raise InvalidInput("holds no XGBoost model; write one with save_model")
    learner = about["learner"]
    _check_learner(learner)
    xgboost = need("xgboost", "xgboost")
    # XGBoost gets the checked values, not the file: its parser may read the same file differently.
    booster = xgboost.Booster(model_file=bytearray(json.dumps(about).encode()))
    attributes = learner.get("attributes") or {}
    # XGBClassifier predicts with the rounds up to the best one; a plain Booster uses all rounds.
    if "scikit_learn" in attributes and "best_iteration" in attributes:
        booster = booster[: int(attributes["best_iteration"]) + 1]
    return booster


def _check_learner(learner: dict[str, Any]) -> None:
    shape = learner["learner_model_param"]
    width, classes = int(shape["num_feature"]), max(1, int(shape["num_class"]))
    if not (0 < width <= MOST_FEATURES and classes <= MOST_CLASSES):
        raise damaged("the number of features or classes")
    if int(shape.get("num_target", 1)) != 1:
        raise InvalidInput("predicts several labels at once; a classifier predicts one")
    for key in ("feature_names", "feature_types"):
        if len(learner.get(key) or ()) not in (0, width):
            raise damaged(key)
    base = json.loads(str(shape["base_score"]))
    if not isinstance(base, float | int) and len(base) not in (1, classes):
        raise damaged("base_score")
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        if len(booster["model"]["weights"]) != (width + 1) * classes:
            raise damaged("weights")
        return
    trees = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    if booster["name"] == "dart" and len(booster["weight_drop"]) != len(trees["trees"]):
        raise damaged("weight_drop")
    _check_forest(trees, width, classes)


def _check_forest(model: dict[str, Any], width: int, classes: int) -> None:
    found = model["trees"]
    if not found or int(model["gbtree_model_param"]["num_trees"]) != len(found):
        raise damaged("the number of trees")
    if len(model["tree_info"]) != len(found):
        raise damaged("tree_info")
    check_places(model["tree_info"], classes, "tree_info")
    if model.get("iteration_indptr"):
        check_steps(model["iteration_indptr"], len(found), "iteration_indptr")
    for place, tree in enumerate(found):
        if tree["id"] != place:
            raise damaged("the order of the trees")
        _check_tree(tree, width)
    if (model.get("cats") or {}).get("enc"):
        _check_levels(model["cats"], width)


def _check_tree(tree: dict[str, Any], width: int) -> None:
    about = tree["tree_param"]
    n = int(about["num_nodes"])
    values = int(about.get("size_leaf_vector", 1))
    if values > 1:
        raise InvalidInput("has several values in a leaf, which is not read; use one tree a class")
    if values < 0:
        raise damaged("size_leaf_vector")
    if n < 1 or any(len(tree[key]) != n for key in PER_NODE if key in tree):
        raise damaged("the number of nodes")
    pairs = zip(tree["left_children"], tree["right_children"], strict=True)
    kids = [() if left == right == -1 else (left, right) for left, right in pairs]
    check_tree(kids)
    check_places(tree["split_indices"], width, "split_indices")
    _check_parents(tree["parents"], kids)
    if not all(map(math.isfinite, tree["split_conditions"])):
        raise damaged("split_conditions")
    _check_categories(tree)


def _check_parents(parents: list[Any], kids: Sequence[tuple[int, ...]]) -> None:
    """Check that every child names its parent: XGBoost walks up from it."""
    if parents[0] not in (-1, NO_PARENT):
        raise damaged("parents")
    if any(parents[kid] != place for place, pair in enumerate(kids) for kid in pair):
        raise damaged("parents")
    check_places([p for p in parents if p not in (-1, NO_PARENT)], len(kids), "parents")


def _check_categories(tree: dict[str, Any]) -> None:
    """Check the levels that splits send to one side; exactly the categorical splits have them."""
    nodes = tree.get("categories_nodes", [])
    starts, sizes = tree.get("categories_segments", []), tree.get("categories_sizes", [])
    marked = [place for place, kind in enumerate(tree.get("split_type", ())) if kind]
    if not len(nodes) == len(starts) == len(sizes) or list(nodes) != marked:
        raise damaged("categories_nodes")
    levels = tree.get("categories", [])
    check_steps([*starts, len(levels)], len(levels), "categories_segments")
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    if min(sizes, default=0) < 0 or max(ends, default=0) > len(levels):
        raise damaged("categories_sizes")
    check_places(levels, MOST_CATEGORIES, "categories")


def _check_levels(cats: dict[str, Any], width: int) -> None:
    """Check the names of the levels that the model was trained with."""
    sizes = []
    for part in cats["enc"]:
        offsets, values = part.get("offsets"), part["values"]
        if offsets:
            check_steps(offsets, len(values), "offsets")
        sizes.append(len(values) if offsets is None else max(len(offsets) - 1, 0))
    steps = cats["feature_segments"]
    check_steps(steps, sum(sizes), "feature_segments")
    if len(sizes) != width or [b - a for a, b in itertools.pairwise(steps)] != sizes:
        raise damaged("feature_segments")
    order = cats["sorted_idx"]
    if len(order) != sum(sizes):
        raise damaged("sorted_idx")
    check_places(order, max(sizes, default=0), "sorted_idx")
