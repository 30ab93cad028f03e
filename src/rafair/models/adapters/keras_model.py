"""Keras models on the torch backend; plain networks among them are converted to torch layers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.errors import InvalidInput
from rafair.models.adapters.torch_module import TorchClassifier, wrapped_module
from rafair.models.agreement import check_agreement, random_people, unit_rows
from rafair.models.chain import Chain, NotAChain
from rafair.models.extras import comes_from, need
from rafair.models.inputs import Feed, choose_inputs, front_layers
from rafair.models.keras_layers import append_layer
from rafair.models.queried import answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.models.inputs import Inputs
    from rafair.models.keras_layers import Squash
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 0  # before torch modules: a Keras model on the torch backend is one
# Rows are scaled by this factor: far from the data a logit leaves [0, 1], a probability does not.
FAR = 1e3

Output: TypeAlias = Literal["logits", "probabilities"]


class KerasModule(nn.Module):
    """A Keras model that is always called in prediction mode, even if it is in training mode."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.training = bool(model.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's output for rows x, shape (n, d)."""
        floats = (p.dtype for p in self.parameters() if p.is_floating_point())
        result: Tensor = self.model(x.to(next(floats, torch.float32)), training=False)
        return result

    def extra_repr(self) -> str:
        """Return the layers and their settings, so that the digest depends on them."""
        try:
            return str(self.model.to_json())
        except (NotImplementedError, TypeError, ValueError):  # the user's own model class
            return ", ".join(type(layer).__name__ for layer in self.model.layers)


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is a Keras model, on any backend."""
    return comes_from(model, "keras") and isinstance(model, sys.modules["keras"].Model)


def adapt(
    model: Any, schema: Schema | None, output: Output | Literal["auto"], inputs: Inputs
) -> TorchClassifier:
    """Wrap a Keras model; see ``rafair.wrap``."""
    keras = need("keras", "keras")
    if keras.backend.backend() != "torch":
        raise InvalidInput(
            f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=torch in the "
            "environment before Keras is imported, and load the model again"
        )
    reads = choose_inputs(inputs, schema)
    width = _checked_width(model, schema, reads)
    front = front_layers(reads, schema)
    name = f"Keras {type(model).__name__}"
    rows = unit_rows(width) if schema is None else random_people(schema)
    found = _returned(KerasModule(model), Feed(reads, schema)(rows)) if output == "auto" else output
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    last = KerasModule(model)
    # train() and eval() must not be called here: they would change the mode of the user's model.
    whole = nn.Sequential(*(layer.to(device) for layer in front), last) if front else last
    called = wrapped_module(whole, schema, found, f"{name} on the torch backend", reads)
    plain = _plain(model, rows.shape[1], front, keras)
    if plain is None:
        return called
    layers, kind = plain.to(device), f"{name}, converted to torch"
    converted = wrapped_module(layers, schema, found, kind, reads)
    check_agreement(
        lambda some: converted.scores(some.to(device, converted.dtype)).cpu(),
        lambda some: torch.softmax(_asked(called, some.to(device, called.dtype)), dim=1),
        rows,
        "Keras model",
    )
    return converted


def _asked(called: TorchClassifier, x: Tensor) -> Tensor:
    with torch.no_grad():
        return called.scores(x).double().cpu()


def _checked_width(model: Any, schema: Schema | None, reads: Literal["unit", "original"]) -> int:
    """Return the number of columns that a model reads.

    Raises
    ------
    InvalidInput
        If the model does not read one table (n, d) of numbers or return one output, has no weights
        yet, or does not fit the schema; or if its number of columns is unknown.
    """
    if not model.built:
        raise InvalidInput("the Keras model has no weights yet; call it once on some rows")
    rows = None if schema is None else len(schema.features if reads == "unit" else schema.columns)
    entries, ends = (getattr(model, name, None) or [] for name in ("inputs", "outputs"))
    if len(entries) > 1 or len(ends) > 1:
        raise InvalidInput(
            f"the Keras model has {len(entries)} inputs and {len(ends)} outputs; "
            "it must have one table (n, d) as input and one output"
        )
    if not entries:  # the user's own model class need not define its inputs
        if rows is None:
            raise InvalidInput(
                "cannot tell how many columns the Keras model reads; pass the data's schema"
            )
        return rows
    shape = tuple(entries[0].shape)
    if len(shape) != 2 or shape[1] is None or "float" not in str(entries[0].dtype):
        raise InvalidInput(
            f"the Keras model reads {entries[0].dtype} of shape {shape}; "
            "it must read a table (n, d) of float numbers"
        )
    if rows not in (None, shape[1]):
        raise InvalidInput(
            f"the Keras model reads {shape[1]} columns, a row of inputs={reads!r} has {rows}; "
            "pass a model and a schema that fit"
        )
    return int(shape[1])


def _returned(module: KerasModule, rows: Any) -> Output:
    """Tell from the range of the outputs, near and far from the data, what the model returns."""
    like = next(module.parameters(), torch.empty(0))
    for scale in (1.0, FAR, -FAR):
        try:
            with torch.no_grad():
                raw = module(torch.as_tensor(rows, device=like.device) * scale).cpu()
        except (RuntimeError, TypeError, ValueError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise InvalidInput(
                f"the Keras model does not accept rows of {rows.shape[1]} columns: {reason}"
            ) from error
        if not torch.isfinite(raw).all():
            continue  # an exponential overflows far from the data
        if answer_of(raw.numpy(), len(rows), 2) == "logits":
            return "logits"
    return "probabilities"


def _plain(model: Any, width: int, front: Sequence[nn.Module], keras: Any) -> nn.Sequential | None:
    """Return a plain network as layers: linear, activations, a last squash; else None."""
    squash: Squash = ""
    try:
        chain = Chain(width, front)
        for layer in _chained(model, keras):
            _unsquashed(chain, squash)
            squash = append_layer(chain, layer, keras)
    except NotAChain:
        return None
    if squash == "sigmoid" and chain.width != 1:
        return None
    layers = chain.module(torch.float64 if model.compute_dtype == "float64" else torch.float32)
    ends: dict[str, list[nn.Module]] = {"softmax": [nn.Softmax(dim=1)], "sigmoid": [nn.Sigmoid()]}
    return nn.Sequential(*layers, *ends.get(squash, [])).eval()


def _unsquashed(chain: Chain, squash: Squash) -> None:
    """Append a squash that turned out not to be the last: a sigmoid is an activation there."""
    if squash == "softmax":
        raise NotAChain
    if squash:
        chain.activated(nn.Sigmoid())


def _chained(model: Any, keras: Any) -> list[Any]:
    """Return the layers of a model in which each layer reads the one before it.

    Raises
    ------
    NotAChain
        If the model has another structure.
    """
    if type(model) is keras.Sequential:
        nested = [[x] if type(x) is not keras.Sequential else _chained(x, keras)
                  for x in model.layers]  # fmt: skip
        return [layer for part in nested for layer in part]
    if type(model).__name__ != "Functional":
        raise NotAChain
    value, layers = model.inputs[0], []
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        try:
            follows = operation.input is value
            value = operation.output
        except (AttributeError, ValueError) as error:  # used more than once
            raise NotAChain from error
        if not follows:
            raise NotAChain
        layers.append(operation)
    if model.outputs[0] is not value:
        raise NotAChain
    return layers
