"""CatBoost models: a CatBoostClassifier, or a CatBoost trained for a classification."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.boosted import answering, choose_feed
from rafair.models.class_order import class_order
from rafair.models.conversion.thresholds import Threshold
from rafair.models.extras import comes_from

if TYPE_CHECKING:
    from rafair.models.inputs import Inputs
    from rafair.models.queried import Answer, QueriedClassifier
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 3
OBJECTIVES = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll")
HALF = 0.5


@dataclass(frozen=True, eq=False)
class AskedCatBoost:
    """A CatBoost model that can be called with a matrix or a frame.

    Attributes
    ----------
    model : catboost.CatBoost
    names : tuple of str
        Names of the model's columns, which a frame's columns get.
    categorical : tuple of int
        Places of the columns that the model reads as categories.
    threshold : Threshold or None
        The model's own threshold of decision if it is not 0.5.
    """

    model: Any
    names: tuple[str, ...]
    categorical: tuple[int, ...]
    threshold: Threshold | None

    def __call__(self, rows: Any) -> Any:
        """Return probabilities for n rows, shape (n, k), or with a threshold logits, (n,)."""
        if hasattr(rows, "set_axis"):
            rows = rows.set_axis(list(self.names), axis=1)
            rows = rows.astype(dict.fromkeys(self._whole(rows), np.int64))
        found = self.model.predict(rows, prediction_type="Probability")
        return found if self.threshold is None else self.threshold.margins(found)

    def _whole(self, rows: Any) -> list[str]:
        """Return the categories that are whole numbers stored as floats; CatBoost reads integers.

        CatBoost itself refuses categories with decimals.
        """
        names = [self.names[place] for place in self.categorical]
        floats = [name for name in names if rows[name].dtype.kind == "f"]
        return [name for name in floats if (rows[name] == rows[name].round()).all()]


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is a CatBoost model; a regressor is refused later."""
    return comes_from(model, "catboost") and isinstance(model, sys.modules["catboost"].CatBoost)


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - the objective tells it
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a trained model; see ``rafair.wrap``."""
    found, places = _columns(model)
    numbered = found == tuple(map(str, range(len(found))))
    names = () if numbered else found
    if numbered and places and schema is not None and len(schema.columns) == len(found):
        names = schema.columns  # trained on a matrix: the columns of the data, in their order
    shown = names or found
    coded = [shown[place] for place in places]
    if inputs in ("unit", "original") and not coded and schema is not None:
        names = names if set(names) <= set(schema.columns) else ()
    feed = choose_feed(names, coded, len(found), schema, inputs)
    threshold = _threshold(model)
    answer: Answer = "probabilities" if threshold is None else "logits"
    classes = _classes(model)
    kind = f"CatBoost {type(model).__name__}, {model.tree_count_} trees"
    asked = AskedCatBoost(model, found, tuple(model.get_cat_feature_indices()), threshold)
    return answering(asked, feed, answer, class_order(classes, schema), len(found), kind)


def _columns(model: Any) -> tuple[tuple[str, ...], list[int]]:
    """Return the names of a model's columns, and the places of those that may hold text.

    Raises
    ------
    InvalidInput
        If the model is not fitted, or was not trained for a classification.
    """
    if not model.is_fitted():
        raise InvalidInput(f"this {type(model).__name__} is not fitted; call fit first")
    objective = str(model.get_all_params().get("loss_function", "none")).partition(":")[0]
    if objective not in OBJECTIVES:
        raise InvalidInput(
            f"a CatBoost model of the objective {objective!r}, which is no classification; train "
            f"one of {', '.join(OBJECTIVES)}"
        )
    places = [*model.get_cat_feature_indices(), *model.get_text_feature_indices()]
    return tuple(model.feature_names_), places


def _classes(model: Any) -> list[Any]:
    """Return a model's classes; a model of ``CrossEntropy`` does not know them."""
    return list(model.classes_) or [0, 1]


def _threshold(model: Any) -> Threshold | None:
    if len(_classes(model)) > 2:
        return None
    # The class CatBoost has no threshold of its own.
    value = getattr(model, "get_probability_threshold", lambda: HALF)()
    return None if value == HALF else Threshold("predict_proba", float(value), 1)
