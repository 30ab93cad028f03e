"""Turn a user's model into a ``Classifier``; each module of ``adapters`` handles one kind."""

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
    """Return the adapter modules in the order of their ``PRIORITY``, the most specific first."""
    found = [importlib.import_module(f"{adapters.__name__}.{name}") for name in adapter_names()]
    return tuple(sorted(found, key=lambda module: module.PRIORITY))


def wrap(
    model: Any,
    schema: Schema | None = None,
    *,
    output: Literal["auto", "logits", "probabilities"] = "auto",
    inputs: Inputs = "auto",
) -> Classifier:
    """Wrap a model in the ``Classifier`` protocol, which the attacks, judge and repair use.

    Parameters
    ----------
    model : torch module or exported program, Keras model, scikit-learn estimator or pipeline, ONNX
        model, XGBoost, LightGBM or CatBoost model, or any object with ``predict_proba`` or any
        callable
        rafair does not move the user's model and does not switch it between training and
        evaluation. A model that can be differentiated gives gradients, where necessary after an
        exact conversion to torch; any other model gives scores or labels only. ``access`` of the
        result says which of the three.
    schema : Schema, optional
        What the columns mean. Every model that does not read unit space needs it. The model's
        number of columns and of classes must fit it.
    output : {"auto", "logits", "probabilities"}
        What the model returns. ``"auto"`` decides by the range of its outputs on random rows. A
        single logit z is read as the logits [0, z], a single probability p as [1 − p, p].
    inputs : {"auto", "unit", "original", "frame"}
        What the model reads: unit-space rows; a matrix in original units, with codes for levels;
        or a pandas frame in original units. With ``"auto"``, torch modules read unit space; a
        model that was fitted to named columns, and a callable, read a frame; any other model reads
        original units if the data are all numbers, and unit space if they hold text.

    Returns
    -------
    Classifier
        A model that reads unit-space rows and gives one score for each class of the data.

    Raises
    ------
    InvalidInput
        If no adapter handles this kind of model, the model does not fit the schema, or the
        probabilities of a converted model differ from the original's by more than 1e-5 on random
        rows.
    """
    if output not in OUTPUTS:
        raise InvalidInput(f"unknown output {output!r}; use one of {', '.join(OUTPUTS)}")
    if inputs not in INPUTS:
        raise InvalidInput(f"unknown inputs {inputs!r}; use one of {', '.join(INPUTS)}")
    for adapter in _adapters():
        if adapter.accepts(model):
            wrapped: Classifier = adapter.adapt(model, schema, output, inputs)
            told = getattr(wrapped, "answer", output)  # some adapters know what the model returns
            if output not in ("auto", told):
                raise InvalidInput(f"this model returns {told}, not {output}; leave output away")
            return wrapped
    raise InvalidInput(
        f"cannot wrap a {type(model).__name__}; give a torch, Keras, scikit-learn, ONNX, "
        "XGBoost, LightGBM or CatBoost model, or anything with predict_proba, or a callable"
    )
