"""Anything with ``predict_proba``, ``decision_function`` or ``predict``: it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models.agreement import random_people, unit_rows
from rafair.models.class_order import class_order
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.queried import Answer, QueriedClassifier, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 5
PROBES = 8
METHODS: tuple[tuple[str, Answer], ...] = (
    ("predict_proba", "probabilities"),
    ("decision_function", "logits"),
    ("predict", "labels"),
)


def accepts(model: Any) -> bool:
    """Tell whether a fitted classifier of scikit-learn's manner is given."""
    return any(callable(getattr(model, name, None)) for name, _ in METHODS) and hasattr(
        model, "classes_"
    )


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - the method's name tells
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a fitted classifier; see ``rafair.wrap``."""
    method, answer = next(
        (name, answer) for name, answer in METHODS if callable(getattr(model, name, None))
    )
    predict: Callable[[Any], Any] = getattr(model, method)
    classes = list(model.classes_)
    order = class_order(classes, schema)
    width = _width(model, schema)
    probes = unit_rows(width, PROBES) if schema is None else random_people(schema, PROBES)
    feed = _feed(model, schema, inputs)
    wrapped = QueriedClassifier(
        predict,
        feed,
        answer,
        order,
        width,
        f"{type(model).__module__.partition('.')[0]} {type(model).__name__}",
        tuple(classes[place] for place in order),
    )
    if feed.inputs == "frame" and not feed.categories and _fails(predict, feed(probes)):
        with_categories = replace(feed, categories=True)
        if not _fails(predict, with_categories(probes)):
            wrapped = replace(wrapped, feed=with_categories)
    wrapped.scores(probes)
    return wrapped


def _feed(model: Any, schema: Schema | None, inputs: Inputs) -> Feed:
    """Choose what a model reads: a frame where it was fitted to named columns."""
    names = getattr(model, "feature_names_in_", None)
    named = tuple(map(str, names)) if names is not None else ()
    if inputs == "frame" or (inputs == "auto" and named and schema is not None):
        return Feed("frame", schema, named)
    return Feed(choose_inputs(inputs, schema), schema)


def _width(model: Any, schema: Schema | None) -> int:
    if schema is not None:
        return len(schema.features)
    width = getattr(model, "n_features_in_", None)
    if width is None:
        raise InvalidInput("cannot tell how many columns the model reads; pass the data's schema")
    return int(width)


def _fails(predict: Callable[[Any], Any], rows: Any) -> bool:
    try:
        asked(predict, rows)
    except InvalidInput:
        return True
    return False
