"""Any model with ``predict_proba``, ``decision_function`` or ``predict``, without gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch

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
PROBES = 256
METHODS: tuple[tuple[str, Answer], ...] = (
    ("predict_proba", "probabilities"),
    ("decision_function", "logits"),
    ("predict", "labels"),
)


def accepts(model: Any) -> bool:
    """Tell whether ``model`` has the interface of a fitted scikit-learn classifier."""
    return any(callable(getattr(model, name, None)) for name, _ in METHODS) and hasattr(
        model, "classes_"
    )


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - the method determines it
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a fitted classifier; see ``rafair.wrap``."""
    classes = list(model.classes_)
    order = class_order(classes, schema)
    width = _width(model, schema)
    probes = unit_rows(width, PROBES) if schema is None else random_people(schema, PROBES)
    feed = _feed(model, schema, inputs)
    known = [(name, answer) for name, answer in METHODS if callable(getattr(model, name, None))]
    if feed.inputs == "frame" and _fails(getattr(model, known[0][0]), feed(probes)):
        with_categories = replace(feed, categories=True)
        if not _fails(getattr(model, known[0][0]), with_categories(probes)):
            feed = with_categories
    found = []
    for name, answer in known:
        wrapped = QueriedClassifier(
            getattr(model, name),
            feed,
            answer,
            order,
            width,
            f"{type(model).__module__.partition('.')[0]} {type(model).__name__}",
            tuple(classes[place] for place in order),
        )
        found.append((wrapped, wrapped.scores(probes).argmax(dim=1)))
    # Some models do not predict the class with the largest score: a model with its own threshold,
    # or a support vector machine with probabilities. The audit is about the predictions, so use
    # the first method whose largest scores agree with the last method, which is usually predict.
    decided = found[-1][1]
    return next(wrapped for wrapped, largest in found if torch.equal(largest, decided))


def _feed(model: Any, schema: Schema | None, inputs: Inputs) -> Feed:
    """Choose what a model reads: a frame if it was fitted to named columns."""
    parts = [model, *(step for _, step in getattr(model, "steps", []))]
    names = next(
        (n for p in parts if (n := getattr(p, "feature_names_in_", None)) is not None), None
    )
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
