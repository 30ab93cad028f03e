"""scikit-learn's linear models, networks and pipelines, and skorch's nets, converted to torch."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from rafair.errors import InvalidInput
from rafair.models.adapters import predict_proba
from rafair.models.adapters.torch_module import sequence, wrapped_module
from rafair.models.agreement import check_agreement, random_people
from rafair.models.conversion import (
    NotConvertible,
    convert,
    folded,
    is_from_sklearn,
    obstacle,
    raw_columns,
    step_names,
    threshold_of,
)
from rafair.models.extras import comes_from
from rafair.schema import Feature, Schema

if TYPE_CHECKING:
    from rafair.models.adapters.torch_module import TorchClassifier
    from rafair.models.inputs import Feed, Inputs
    from rafair.models.queried import QueriedClassifier

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 2


def accepts(model: Any) -> bool:
    """Tell whether a classifier of scikit-learn can be converted, or is not fitted yet."""
    if not comes_from(model, "sklearn") or not is_from_sklearn(model):
        return False
    if not hasattr(model, "classes_"):
        return _is_classifier(model)
    return obstacle(model) is None


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],
    inputs: Inputs,
) -> TorchClassifier | QueriedClassifier:
    """Convert a fitted classifier; see ``rafair.wrap``.

    If a step cannot be converted for the columns that it reads, the model is asked for scores.

    Raises
    ------
    InvalidInput
        If the model is not fitted, or the converted model differs from it by more than 1e-5 in
        probability on random rows.
    """
    if not hasattr(model, "classes_"):
        raise InvalidInput(f"this {type(model).__name__} is not fitted; call fit first")
    # scikit-learn warns about unknown levels and columns without names; both are intended here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = predict_proba.adapt(model, schema, output, inputs)
        described = schema or _unit_schema(asked.width)
        try:
            module = _module(model, described, asked.feed, asked.order)
        except NotConvertible as reason:
            kind = f"{_kind(model)}, not converted to torch, because {reason}"
            return replace(asked, kind=kind)
        kind = f"{_kind(model)}, converted to torch"
        converted = wrapped_module(module, schema, "logits", kind, asked.reads)
        check_agreement(
            converted.scores,
            lambda x: torch.softmax(asked.scores(x), dim=1),
            random_people(described),
            f"{_kind(model)}",
        )
    return converted


def _is_classifier(model: Any) -> bool:
    from sklearn.base import is_classifier

    return bool(is_classifier(model))


def _unit_schema(width: int) -> Schema:
    """Return a schema for unit-space rows with this number of columns, for use without data."""
    features = (Feature(f"x{place}", "numeric", (0.0, 1.0)) for place in range(width))
    return Schema(tuple(features), "label", (0, 1))


def _module(model: Any, schema: Schema, feed: Feed, order: tuple[int, ...]) -> nn.Sequential:
    """Return layers from unit-space rows to logits in the order of the data's classes."""
    if schema.gaps:
        name = schema.names[schema.gaps[0]]
        raise NotConvertible(f"cells of {name!r} may be missing, and a network reads numbers alone")
    first, behind = convert(model, raw_columns(schema, feed))
    if not bool(torch.isfinite(first.weights).all() & torch.isfinite(first.offset).all()):
        raise NotConvertible("text is read as numbers")
    module = sequence(folded([*first.layers(), *behind])).eval().requires_grad_(requires_grad=False)
    last = module[-1]
    if not isinstance(last, nn.Linear):  # a torch module of the user's
        return sequence([module, Reordered(order)])
    with torch.no_grad():
        for tensor in (last.weight, last.bias):
            if len(tensor) == len(order):
                tensor.copy_(tensor[list(order)])
            elif order == (1, 0):
                tensor.neg_()
    return module


class Reordered(nn.Module):
    """Puts logits in the order of the data's classes; a single logit changes its sign."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, z: Tensor) -> Tensor:
        """Return the logits z, shape (n, k), (n, 1) or (n,), in order, as columns."""
        z = z.reshape(len(z), -1)
        if z.shape[1] > 1:
            return z[:, list(self.order)]
        return z if self.order == (0, 1) else -z

    def extra_repr(self) -> str:
        """Return the order, which is part of the digest."""
        return str(self.order)


def _kind(model: Any) -> str:
    """Return the name of a model: its class, its steps if it has any, and its threshold."""
    library = type(model).__module__.partition(".")[0].replace("sklearn", "scikit-learn")
    names, cut = step_names(model), threshold_of(model)
    own = f"{library} {type(model).__name__}"
    threshold = "" if cut is None else f" with the threshold {cut.value:.4g}"
    if names == [type(model).__name__]:
        return own
    *before, last = names
    return f"{own} of {' and '.join(filter(None, [', '.join(before), last]))}{threshold}"
