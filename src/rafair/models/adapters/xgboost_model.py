"""XGBoost models: a Booster, or an XGBClassifier, which holds one."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models.boosted import answering, choose_feed
from rafair.models.class_order import class_order
from rafair.models.extras import comes_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.models.inputs import Inputs
    from rafair.models.queried import Answer, QueriedClassifier
    from rafair.schema import Schema

__all__ = ["PRIORITY", "AskedBooster", "accepts", "adapt", "booster_of"]

PRIORITY = 3
ANSWERS: dict[str, Answer] = {
    "binary:logistic": "probabilities",
    "binary:logitraw": "logits",
    "binary:hinge": "labels",
    "multi:softprob": "probabilities",
    "multi:softmax": "labels",
}


@dataclass(frozen=True, eq=False)
class AskedBooster:
    """A booster that can be called with a matrix or a frame.

    Attributes
    ----------
    booster : xgboost.Booster
    rounds : int
        Number of boosting rounds that are used; 0 for all.
    levels : mapping of str to tuples
        For each column whose levels the booster knows, the levels in the data's schema.
    """

    booster: Any
    rounds: int
    levels: Mapping[str, tuple[Any, ...]]

    def __call__(self, rows: Any) -> Any:
        """Return probabilities, logits or labels for n rows, shape (n,) or (n, k)."""
        import pandas as pd
        import xgboost

        booster = self.booster
        if isinstance(rows, pd.DataFrame):
            types = {name: pd.CategoricalDtype(list(v)) for name, v in self.levels.items()}
            matrix = xgboost.DMatrix(rows.astype(types), enable_categorical=True)
        else:
            kinds = booster.feature_types
            matrix = xgboost.DMatrix(
                rows,
                feature_names=booster.feature_names,
                feature_types=kinds,
                enable_categorical="c" in (kinds or ()),
            )
        named = booster.feature_names is not None
        return booster.predict(matrix, iteration_range=(0, self.rounds), validate_features=named)


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is a Booster or an XGBClassifier."""
    if not comes_from(model, "xgboost"):
        return False
    xgboost = sys.modules["xgboost"]
    return isinstance(model, (xgboost.Booster, xgboost.XGBClassifier))


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - the objective tells it
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a trained model; see ``rafair.wrap``."""
    booster, rounds = booster_of(model)
    learner = json.loads(booster.save_config())["learner"]
    shape, objective = learner["learner_model_param"], learner["objective"]["name"]
    if objective not in ANSWERS:
        raise InvalidInput(
            f"an XGBoost model of the objective {objective!r}, which is no classification; "
            f"train one of {', '.join(ANSWERS)}"
        )
    width = int(shape["num_feature"])
    names = tuple(booster.feature_names or ())
    coded = _recoded(booster, inputs)
    feed = choose_feed(names, coded, width, schema, inputs)
    features = () if schema is None else schema.features
    levels = {f.name: f.levels for f in features if f.name in coded}
    lost = [name for name in coded if name not in levels or not _has_levels(name, schema)]
    if lost:
        raise InvalidInput(f"the model reads levels in column {lost[0]!r}, the data have numbers")
    classes = range(max(2, int(shape["num_class"])))
    order = class_order(getattr(model, "classes_", classes), schema)
    kind = f"XGBoost {type(model).__name__}{_trees(learner)}"
    asked = AskedBooster(booster, rounds, levels)
    return answering(asked, feed, ANSWERS[objective], order, width, kind)


def booster_of(model: Any) -> tuple[Any, int]:
    """Return the booster, and the number of rounds with which the model predicts; 0 for all."""
    import xgboost

    if isinstance(model, xgboost.Booster):
        return model, 0
    try:
        booster = model.get_booster()
    except Exception as error:
        raise InvalidInput("this XGBClassifier is not fitted; call fit first") from error
    best = booster.attr("best_iteration")
    linear = getattr(model, "booster", None) == "gblinear"
    return booster, 0 if best is None or linear else int(best) + 1


def _recoded(booster: Any, inputs: Inputs) -> list[str]:
    """Return the columns whose levels the booster knows by name."""
    kinds = booster.feature_types or ()
    coded = [n for n, kind in zip(booster.feature_names or (), kinds, strict=False) if kind == "c"]
    if not coded or inputs in ("unit", "original"):
        return []
    # XGBoost before 3.1 reads a level as its place among the levels as the frame lists them.
    if not hasattr(booster, "get_categories") or booster.get_categories().empty():
        raise InvalidInput(
            "an XGBoost model with categories, but without their names, which XGBoost keeps since "
            "3.1; train it again"
        )
    return coded


def _has_levels(name: str, schema: Schema | None) -> bool:
    return schema is not None and any(f.name == name and f.has_levels for f in schema.features)


def _trees(learner: Mapping[str, Any]) -> str:
    inner = learner["gradient_booster"]
    count = inner.get("gbtree", inner).get("gbtree_model_param", {}).get("num_trees")
    return "" if count is None else f", {count} trees"
