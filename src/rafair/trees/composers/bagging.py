"""Bagging: the mean of its members, each of which may read some of the columns."""

from __future__ import annotations

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
    """Tell whether a model is a fitted BaggingClassifier."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.ensemble import BaggingClassifier

    return isinstance(model, BaggingClassifier) and hasattr(model, "estimators_")


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Add up the members' probabilities."""
    known = np.arange(len(model.classes_))
    members, n = [], model.n_features_in_
    for one, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        if not hasattr(one, "predict_proba"):
            raise Unreadable("bagging of members that only vote")
        if not np.array_equal(one.classes_, known):
            raise Unreadable("bagging of a member that has not seen all classes")
        member, everything = read(one), np.array_equal(columns, np.arange(n))
        members.append(member if everything else member.given(columns))
    if all(one.whole == 1 for one in members):
        return added(members)
    return added([one.probability().scaled(1 / len(members)) for one in members])
