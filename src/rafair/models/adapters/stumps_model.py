"""Sums of stumps, which robust training makes: asked for logits in unit space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models.inputs import Feed
from rafair.models.queried import QueriedClassifier
from rafair.models.stumps import Stumps

if TYPE_CHECKING:
    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 0  # before torch modules, of which they are one without gradients


def accepts(model: Any) -> bool:
    """Tell whether a model is a sum of stumps."""
    return isinstance(model, Stumps)


def adapt(
    model: Stumps,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - it returns logits
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a sum of stumps; see ``rafair.wrap``."""
    if inputs not in ("auto", "unit"):
        raise InvalidInput(f"a sum of stumps reads unit space, not {inputs}")
    if schema is not None and len(schema.classes) != 2:
        raise InvalidInput(f"the model has 2 classes, the data {len(schema.classes)}")
    if schema is not None and len(schema.features) != model.width:
        raise InvalidInput(f"the model reads {model.width} columns, not {len(schema.features)}")
    feed = Feed("unit", schema)
    return QueriedClassifier(model.logits, feed, "logits", (0, 1), model.width, model.kind)
