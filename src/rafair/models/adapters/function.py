"""Any callable from rows to scores or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.agreement import random_people
from rafair.models.class_order import class_order
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.queried import QueriedClassifier, answer_of, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 9
PROBES = 256


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is callable and no class."""
    return callable(model) and not isinstance(model, type)


def adapt(
    model: Callable[[Any], Any],
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a callable; see ``rafair.wrap``."""
    if schema is None:
        raise InvalidInput(
            f"cannot wrap a {type(model).__name__} without knowing its columns; pass the schema"
        )
    frame = inputs in ("auto", "frame")
    feed = Feed("frame" if frame else choose_inputs(inputs, schema), schema)
    k = len(schema.classes)
    raw = asked(model, feed(random_people(schema, PROBES)))
    answer = answer_of(raw, PROBES, k) if output == "auto" else output
    order: tuple[int, ...] = tuple(range(k))
    labels: tuple[Any, ...] = ()
    if answer == "labels":
        seen = set(np.asarray(raw).ravel().tolist())
        names = list(schema.classes) if seen <= set(schema.classes) else list(range(k))
        labels = tuple(names[place] for place in class_order(names, schema))
    name = getattr(model, "__name__", type(model).__name__)
    wrapped = QueriedClassifier(
        model, feed, answer, order, len(schema.features), f"function {name}", labels
    )
    wrapped.scores(random_people(schema, PROBES))
    return wrapped
