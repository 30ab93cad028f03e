"""Any model with ``predict_proba``, ``decision_function`` or ``predict``, without gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from rafair.errors import InvalidInput
from rafair.models.agreement import random_people, unit_rows
from rafair.models.class_order import class_order
from rafair.models.conversion import obstacle, threshold_of
from rafair.models.extras import comes_from
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.queried import Answer, QueriedClassifier, asked
from rafair.models.reading import columns_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models.conversion.thresholds import Threshold
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
    ways = _ways(model)
    others = [replace(feed, categories=True)] if feed.inputs == "frame" else []
    feeds = [feed, *others, replace(feed, single=True)]
    feed = next((found for found in feeds if not _fails(ways[0][0], found(probes))), feed)
    kind = f"{type(model).__module__.partition('.')[0]} {type(model).__name__}"
    if comes_from(model, "sklearn") and (reason := obstacle(model)):
        kind += f", not converted to torch, because {reason}"
    labels = tuple(classes[place] for place in order)
    found = []
    for ask, answer in ways:
        wrapped = QueriedClassifier(ask, feed, answer, order, width, kind, labels)
        found.append((wrapped, wrapped.scores(probes).argmax(dim=1)))
    # Some models do not predict the class with the largest score: a support vector machine with
    # probabilities, or somebody's own class. The audit is about the predictions, so use the first
    # method whose largest scores agree with the last method, which is usually predict.
    decided = found[-1][1]
    return next(wrapped for wrapped, largest in found if torch.equal(largest, decided))


@dataclass(frozen=True)
class Margins:
    """A classifier's scores as logits that are largest where it decides, given its threshold."""

    model: Any
    threshold: Threshold

    def __call__(self, rows: Any) -> Any:
        """Return one logit for each of n rows, shape (n,)."""
        return self.threshold.margins(getattr(self.model, self.threshold.method)(rows))


def _ways(model: Any) -> list[tuple[Callable[[Any], Any], Answer]]:
    """Return the functions of a model that can be asked, the most telling first."""
    known = [(found, a) for name, a in METHODS if callable(found := getattr(model, name, None))]
    threshold = threshold_of(model)
    return known if threshold is None else [(Margins(model, threshold), "logits"), *known]


def _feed(model: Any, schema: Schema | None, inputs: Inputs) -> Feed:
    """Choose what a model reads: a frame if it was fitted to named columns."""
    named = columns_read(model, schema.columns if schema is not None else ())
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
