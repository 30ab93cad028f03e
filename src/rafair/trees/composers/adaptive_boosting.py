"""AdaBoost: a weighted sum of the decisions of its members."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.trees.composition import added
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition

__all__ = ["accepts", "compose"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted AdaBoostClassifier."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.ensemble import AdaBoostClassifier

    return isinstance(model, AdaBoostClassifier) and hasattr(model, "estimators_")


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Add up the members' decisions; each is of one tree."""
    k, weights = len(model.classes_), np.asarray(model.estimator_weights_, np.float64)
    total = float(weights[: len(model.estimators_)].sum())
    members = [
        _decision(read(one), k, float(weight) / total)
        for one, weight in zip(model.estimators_, weights, strict=False)
    ]
    return added(members)


def _decision(member: Composition, k: int, weight: float) -> Composition:
    """Give each leaf of a tree what its class adds to the scores, of which a softmax follows.

    A class that is decided gets the member's weight, each other one −weight / (k − 1); of two
    classes, the difference between the scores is halved, and of more they are divided by k − 1.
    """
    table = member.table
    if len(table.roots) != 1 or table.link != "share" or table.n_classes != k:
        raise Unreadable("AdaBoost of other members than trees")
    chosen = np.eye(k)[table.value.argmax(axis=1)]
    value = weight * (chosen - (1 - chosen) / (k - 1)) / (k - 1)
    value[table.left >= 0] = 0.0
    return replace(member, table=replace(table, value=value, link="softmax"))
