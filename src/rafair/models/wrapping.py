"""From somebody's model to a ``Classifier``; each module of ``adapters`` knows one kind."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models import adapters

if TYPE_CHECKING:
    from rafair.models.classifier import Classifier
    from rafair.schema import Schema

__all__ = ["adapter_names", "wrap"]

OUTPUTS = ("auto", "logits", "probabilities")


def adapter_names() -> tuple[str, ...]:
    """Return the names of the adapter modules."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(adapters.__path__)))


def wrap(
    model: Any,
    schema: Schema | None = None,
    *,
    output: Literal["auto", "logits", "probabilities"] = "auto",
) -> Classifier:
    """Put a model behind the protocol that attacks, judge and repair use.

    Parameters
    ----------
    model : torch.nn.Module
        From unit-space rows (n, d) to k ≥ 2 scores, one score per row, or probabilities. It is
        used as it is: neither copied, moved nor switched between training and evaluation.
    schema : Schema, optional
        Checked against the model's width and number of classes.
    output : {"auto", "logits", "probabilities"}
        What the model returns. ``"auto"`` decides by the range of its outputs on random rows. One
        logit z stands for the logits [0, z], one probability p for the classes' [1 − p, p].

    Raises
    ------
    InvalidInput
        If no adapter knows this kind of model, or it does not fit the schema.
    """
    if output not in OUTPUTS:
        raise InvalidInput(f"unknown output {output!r}; use one of {', '.join(OUTPUTS)}")
    for name in adapter_names():
        adapter = importlib.import_module(f"{adapters.__name__}.{name}")
        if adapter.accepts(model):
            wrapped: Classifier = adapter.adapt(model, schema, output)
            return wrapped
    raise InvalidInput(f"cannot wrap a {type(model).__name__}; give a torch.nn.Module")
