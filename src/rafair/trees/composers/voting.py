"""Voting: the weighted mean of its members' probabilities, or the weighted count of their votes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.adapters.predict_proba import Margins
from rafair.models.conversion import threshold_of
from rafair.models.extras import comes_from
from rafair.trees.composition import added
from rafair.trees.parts import Step
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition

__all__ = ["accepts", "compose"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted VotingClassifier."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.ensemble import VotingClassifier

    return isinstance(model, VotingClassifier) and hasattr(model, "estimators_")


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Add up the members."""
    given = model._weights_not_none
    n = len(model.estimators_)
    weights = np.ones(n) if given is None else np.asarray(given, np.float64)
    is_soft = model.voting == "soft"
    if not is_soft and len(model.classes_) > 2:
        raise Unreadable("votes between more than two classes")
    whole = float(weights.sum()) if is_soft else 1.0
    members = [
        (read(one).probability() if is_soft else _vote(one, read)).scaled(float(weight) / whole)
        for one, weight in zip(model.estimators_, weights, strict=True)
    ]
    return added(members)


def _vote(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Return a member's decision between two classes, −1 or 1."""
    rule = threshold_of(model)
    member = read(model if rule is None else Margins(model, rule))
    return member.margin().mapped(Step()).scaled(2.0, -1.0)
