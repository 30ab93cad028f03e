"""Checks scikit-learn's trees that come from a file before anybody is decided by them.

scikit-learn follows the branches of a tree in C, without looking whether a child, a feature or a
set of categories exists. A file with other numbers than a fitted tree has can crash Python, or make
it read other memory. Creating such a tree is harmless: its class checks types and shapes. So a tree
may come from a file if all that C reads is checked here once, right after loading:

- the nodes form one tree: each but the first is the child of exactly one node before it;
- each node asks for a feature that its model has, and each set of categories exists;
- trees belong to the models of scikit-learn that hold trees, whose members have as many features
  and whose rounds as many trees as the model has scores.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.formats.contents import holdings, name_of, unchecked

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["CHECKED", "check_trees"]

_TREE = "sklearn.tree._tree.Tree"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
# Types that are harmless once ``check_trees`` has seen what they hold.
CHECKED: frozenset[str] = frozenset({_TREE, _PREDICTOR})
# Words of 32 bits that hold a set of up to 256 categories.
WORDS = 8


def check_trees(model: Any) -> None:
    """Check every tree that an object holds.

    Raises
    ------
    InvalidInput
        If a tree is not one that scikit-learn can follow, or lies where none is expected.
    """
    for holder, held in holdings([model]):
        trees = [one for one in held if name_of(one) == _TREE]
        predictors = [one for one in held if name_of(one) == _PREDICTOR]
        if trees:
            _check_alone(holder, trees)
        if predictors:
            _check_histogram(holder, predictors)
        _check_members(holder, held)


def _check_alone(holder: Any, trees: list[Any]) -> None:
    """Check the trees of a model that decides by one tree."""
    from sklearn import tree

    _expect(holder, (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor), _TREE)
    for one in trees:
        _require(one.node_count == one.capacity, "its number of nodes is wrong")
        nodes, shape = one.__getstate__()["nodes"], one.value.shape
        _require(min(shape) > 0, "a node has no value")
        is_leaf = nodes["left_child"] == -1
        depth = _check_nodes(nodes["left_child"], nodes["right_child"], is_leaf)
        _require(depth <= one.max_depth, "it is deeper than it says")
        _check_features(nodes["feature"][~is_leaf], _features_of(holder))


def _check_histogram(holder: Any, predictors: list[Any]) -> None:
    """Check the trees of HistGradientBoosting."""
    from sklearn import ensemble
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    kinds = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    _expect(holder, kinds, _PREDICTOR)
    count = _features_of(holder)
    is_category = np.asarray(holder._bin_mapper.is_categorical_)
    _require(is_category.shape == (count,), "its features are not those of the model")
    _check_preprocessor(holder._preprocessor, count)
    for one in predictors:
        nodes, sets = one.nodes, one.raw_left_cat_bitsets
        _require(nodes.dtype == PREDICTOR_RECORD_DTYPE and nodes.ndim == 1, "it has other nodes")
        inner = nodes["is_leaf"] == 0
        _check_nodes(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), ~inner)
        _check_features(nodes["feature_idx"][inner], count)
        asks = nodes[inner & (nodes["is_categorical"] != 0)]
        _require(bool(is_category[asks["feature_idx"]].all()), "it has categories of a number")
        _require(sets.shape[1:] == (WORDS,), "its sets of categories have another size")
        _require(bool((asks["bitset_idx"] < len(sets)).all()), "it lacks a set of categories")


def _check_preprocessor(found: Any, count: int) -> None:
    """Check that what HistGradientBoosting does to a table first keeps every column."""
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
    from sklearn.utils import check_array

    if found is None:
        return  # scikit-learn counts the columns of each table itself
    # What is left over stands behind these two.
    (_, coded, chosen), (_, numbers, others), *_ = found.transformers_
    chosen, others = np.asarray(chosen), np.asarray(others)
    is_whole = chosen.shape == others.shape == (count,) and bool((chosen ^ others).all())
    keeps = isinstance(numbers.func, partial) and numbers.func.func is check_array
    kinds = (type(coded), type(numbers)) == (OrdinalEncoder, FunctionTransformer)
    _require(is_whole and keeps and kinds, "its columns are not those of the model")


def _check_members(holder: Any, held: list[Any]) -> None:
    """Check that the members of a model, which are given its rows unchecked, fit it."""
    from sklearn import ensemble, tree
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble._forest import BaseForest

    boosted = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
    if not isinstance(holder, (BaseForest, *boosted, ensemble.IsolationForest)):
        return
    members = [m for m in held if isinstance(m, tree.BaseDecisionTree) and hasattr(m, "tree_")]
    if not members:
        return
    _expect(holder, (BaseForest, *boosted), _TREE)
    same = {_features_of(one) for one in members} == {_features_of(holder)}
    _require(same, "its features are not those of the model")
    if isinstance(holder, boosted):
        first = holder.init_
        if not isinstance(first, str | DummyClassifier | DummyRegressor):
            raise unchecked(_TREE, "GradientBoosting with an initial model of its own")
        scores = holder._raw_predict_init(np.zeros((1, _features_of(holder)), np.float32))
        columns = holder.estimators_.shape[1:]
        _require(scores.shape[1:] == columns, "it has no score to add to")


def _expect(holder: Any, kinds: tuple[type, ...], what: str) -> None:
    if not isinstance(holder, kinds):
        raise unchecked(what, name_of(holder))


def _features_of(model: Any) -> int:
    count = getattr(model, "n_features_in_", None)
    _require(type(count) is int, "the model does not say how many features it has")
    return int(count)  # type: ignore[arg-type]  # it is one


def _check_nodes(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], is_leaf: npt.NDArray[np.bool_]
) -> int:
    """Check that nodes form one tree, and return its depth."""
    (inner,) = np.nonzero(~is_leaf)
    children = np.concatenate((left[inner], right[inner]))
    is_tree = np.array_equal(np.sort(children), np.arange(1, len(is_leaf)))
    after = bool((children > np.concatenate((inner, inner))).all())
    _require(len(is_leaf) > 0 and is_tree and after, "a branch leads nowhere")
    depth, level = 0, np.zeros(1, dtype=np.int64)
    while len(level := level[~is_leaf[level]]):
        depth, level = depth + 1, np.concatenate((left[level], right[level]))
    return depth


def _check_features(asked: npt.NDArray[np.int64], count: int) -> None:
    _require(
        bool(((asked >= 0) & (asked < count)).all()), "it asks for a feature that is not there"
    )


def _require(is_so: bool, else_: str) -> None:
    if not is_so:
        raise InvalidInput(
            f"holds a tree that scikit-learn cannot follow: {else_}; the file is damaged, or made "
            "to do harm"
        )
