"""From somebody's model to a ``Classifier``; each module of ``adapters`` knows one kind."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models import adapters
from rafair.models.inputs import INPUTS

if TYPE_CHECKING:
    from rafair.models.classifier import Classifier
    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["adapter_names", "wrap"]

OUTPUTS = ("auto", "logits", "probabilities")


def adapter_names() -> tuple[str, ...]:
    """Return the names of the adapter modules."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(adapters.__path__)))


@cache
def _adapters() -> tuple[ModuleType, ...]:
    """Return the adapter modules, those that know one library best first."""
    found = [importlib.import_module(f"{adapters.__name__}.{name}") for name in adapter_names()]
    return tuple(sorted(found, key=lambda module: module.PRIORITY))


def wrap(
    model: Any,
    schema: Schema | None = None,
    *,
    output: Literal["auto", "logits", "probabilities"] = "auto",
    inputs: Inputs = "auto",
) -> Classifier:
    """Put a model behind the protocol that attacks, judge and repair use.

    Parameters
    ----------
    model : torch module or exported program, Keras model, scikit-learn estimator or pipeline, ONNX
        model, XGBoost or LightGBM model, or any object with ``predict_proba`` or any callable
        It is used as it is: neither copied, moved nor switched between training and evaluation.
        What can be differentiated is, if need be after an exact conversion to torch; the others
        are asked for scores, or for labels. ``access`` of the result says which.
    schema : Schema, optional
        What the columns mean. Needed by every model that does not read unit space; checked against
        the model's width and number of classes.
    output : {"auto", "logits", "probabilities"}
        What the model returns. ``"auto"`` decides by the range of its outputs on random rows. One
        logit z stands for the logits [0, z], one probability p for the classes' [1 − p, p].
    inputs : {"auto", "unit", "original", "frame"}
        What the model reads: unit-space rows; a matrix in original units, with codes for levels;
        or a pandas frame in original units. ``"auto"``: torch modules read unit space; a model
        that was fitted to named columns, and a callable, read a frame; any other model reads
        original units where the table is all numbers, and unit space where it holds text.

    Raises
    ------
    InvalidInput
        If no adapter knows this kind of model, it does not fit the schema, or a converted model
        does not agree with the original to 1e-5 on random rows.
    """
    if output not in OUTPUTS:
        raise InvalidInput(f"unknown output {output!r}; use one of {', '.join(OUTPUTS)}")
    if inputs not in INPUTS:
        raise InvalidInput(f"unknown inputs {inputs!r}; use one of {', '.join(INPUTS)}")
    for adapter in _adapters():
        if adapter.accepts(model):
            wrapped: Classifier = adapter.adapt(model, schema, output, inputs)
            told = getattr(wrapped, "answer", output)  # of a model whose kind tells what it returns
            if output not in ("auto", told):
                raise InvalidInput(f"this model returns {told}, not {output}; leave output away")
            return wrapped
    raise InvalidInput(
        f"cannot wrap a {type(model).__name__}; give a torch, Keras, scikit-learn, ONNX, "
        "XGBoost or LightGBM model, or anything with predict_proba, or a callable"
    )
