"""Classifiers that decide by a threshold of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rafair.models.adapters.predict_proba import Margins
from rafair.models.conversion import threshold_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition

__all__ = ["accepts", "compose"]


def accepts(model: Any) -> bool:
    """Tell whether a model is asked for its margin over a threshold, or has one as a member."""
    return isinstance(model, Margins) or threshold_of(model) is not None


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Shift the score, of which then the sign alone counts; a member gives its probabilities."""
    if not isinstance(model, Margins):
        return read(getattr(model, "estimator_", model.estimator))
    member, rule = read(model.model), model.threshold
    value = rule.value if rule.positive else -rule.value
    if rule.method == "decision_function":
        score = member.raw().scaled(1.0, -value)
    else:
        value = rule.value if rule.positive else 1 - rule.value
        score = member.probability().scaled(0.5, 0.5 - value)
    return replace(score, table=replace(score.table, link="sign"))
