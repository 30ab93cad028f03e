"""Stacking: logistic regression on its members' probabilities or scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rafair.models.extras import comes_from
from rafair.trees.composition import added
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition

__all__ = ["accepts", "compose"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted StackingClassifier."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.ensemble import StackingClassifier

    return isinstance(model, StackingClassifier) and hasattr(model, "estimators_")


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Add up the members with the weights of the logistic regression, which gives log-odds."""
    from sklearn.linear_model import LogisticRegression

    last, methods = model.final_estimator_, model.stack_method_
    if not isinstance(last, LogisticRegression):
        raise Unreadable(f"stacking under a {type(last).__name__}")
    if len(model.classes_) > 2 or last.n_features_in_ != len(methods):
        raise Unreadable("stacking of more than two classes, or with the columns themselves")
    weights, start = last.coef_[0].tolist(), float(last.intercept_[0])
    members = []
    for one, method, weight in zip(model.estimators_, methods, weights, strict=True):
        score = _score(read(one), method).scaled(weight, start / len(weights))
        members.append(replace(score, table=replace(score.table, link="softmax")))
    return added(members)


def _score(member: Composition, method: str) -> Composition:
    if method == "decision_function":
        return member.raw()
    if method == "predict_proba":
        return member.probability().scaled(0.5, 0.5)
    raise Unreadable("stacking of members that only vote")
