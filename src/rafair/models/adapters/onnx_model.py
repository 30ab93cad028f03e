"""ONNX models: converted to torch if they can be differentiated, else run by onnxruntime."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.models.adapters.torch_module import TorchClassifier, wrapped_module
from rafair.models.agreement import check_agreement, random_people, unit_rows
from rafair.models.class_order import class_order
from rafair.models.extras import comes_from
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.onnx_graph.answers import answered, check_model, entries
from rafair.models.onnx_graph.converting import convert, score_order
from rafair.models.onnx_graph.graph import Unsupported
from rafair.models.onnx_graph.session import session_of
from rafair.models.queried import QueriedClassifier, answer_of, asked

if TYPE_CHECKING:
    from rafair.models.inputs import Inputs
    from rafair.models.onnx_graph.answers import Answered, Entry
    from rafair.models.onnx_graph.session import OnnxSession
    from rafair.schema import Schema

__all__ = ["PRIORITY", "accepts", "adapt"]

PRIORITY = 2
PROBES = 256
CONVERTED = "ONNX graph, converted to torch"


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is an ``onnx.ModelProto``."""
    return comes_from(model, "onnx") and type(model).__name__ == "ModelProto"


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],
    inputs: Inputs,
) -> TorchClassifier | QueriedClassifier:
    """Wrap an ONNX model; see ``rafair.wrap``."""
    check_model(model)
    read, answer = entries(model), answered(model)
    feed = _feed(read, schema, inputs)
    rows = _rows(feed, read[0], PROBES)
    session = session_of(model, answer, read, feed.inputs == "frame")
    try:
        module, left, returned = convert(model, read[0], answer, feed, rows, output)
    except Unsupported as reason:
        kind = f"ONNX graph through onnxruntime ({reason})"
        return _queried(session, answer, feed, rows, output, kind)
    converted = wrapped_module(module, schema, left, CONVERTED, feed.inputs)
    if find_spec("onnxruntime") is not None:
        original = _queried(session, answer, feed, rows, returned, CONVERTED)
        check_agreement(
            lambda x: converted.scores(x.to(converted.dtype)),
            lambda x: torch.softmax(original.scores(x), dim=1),
            _rows(feed, read[0]),
            "ONNX model",
        )
    return converted


def _feed(read: tuple[Entry, ...], schema: Schema | None, inputs: Inputs) -> Feed:
    """Choose the form of the graph's input, and check that the data fit the graph."""
    first = read[0]
    if len(read) > 1 or first.dtype == "object":
        return _frame(read, schema, inputs)
    feed = Feed(choose_inputs(inputs, schema), schema)
    if schema is None and first.width is None:
        raise InvalidInput(
            "cannot tell how many columns the ONNX model reads; pass the data's schema"
        )
    if schema is not None:
        width = len(schema.features if feed.inputs == "unit" else schema.columns)
        if first.width not in (None, width):
            raise InvalidInput(
                f"ONNX model: input {first.name!r} has {first.width} columns, a row of "
                f"inputs={feed.inputs!r} has {width}; pass a model and a schema that fit"
            )
    return feed


def _frame(read: tuple[Entry, ...], schema: Schema | None, inputs: Inputs) -> Feed:
    if inputs not in ("auto", "frame"):
        raise InvalidInput("this ONNX model reads named columns; use inputs='frame'")
    wide = next((entry for entry in read if entry.width not in (None, 1)), None)
    if wide is not None:
        raise InvalidInput(
            f"ONNX model: input {wide.name!r} has {wide.width} columns; a model with several "
            "inputs, or with text, must have one input of shape (n, 1) for each column"
        )
    return Feed("frame", schema, tuple(entry.name for entry in read))


def _rows(feed: Feed, entry: Entry, n: int = 1_000) -> Tensor:
    """Return n random rows, shape (n, d), unit space."""
    return unit_rows(entry.width or 1, n) if feed.schema is None else random_people(feed.schema, n)


def _queried(
    session: OnnxSession,
    answer: Answered,
    feed: Feed,
    rows: Tensor,
    output: Literal["auto", "logits", "probabilities"],
    kind: str,
) -> QueriedClassifier:
    """Return the model as onnxruntime runs it, after computing its scores for ``rows``."""
    schema, width = feed.schema, rows.shape[1]
    _ = session.session  # raise here, with its own message, if the graph cannot be loaded
    raw = asked(session, feed(rows))
    if answer.decides:
        labels = _labels(answer, raw, schema)
        queried = QueriedClassifier(
            session, feed, "labels", tuple(range(len(labels))), width, kind, labels
        )
    else:
        columns = raw.shape[1] if raw.ndim == 2 else 1
        order = score_order(answer, columns, schema)
        found = answer_of(raw, len(rows), len(order)) if output == "auto" else output
        queried = QueriedClassifier(session, feed, found, order, width, kind)
    queried.scores(rows)
    return queried


def _labels(answer: Answered, raw: Any, schema: Schema | None) -> tuple[Any, ...]:
    """Return the model's label of each class of the data."""
    if schema is None:
        raise InvalidInput("this ONNX model returns classes without scores; pass the data's schema")
    seen = set(raw.reshape(-1).tolist())
    places = tuple(range(len(schema.classes)))
    names = answer.classes or (schema.classes if seen <= set(schema.classes) else places)
    return tuple(names[place] for place in class_order(names, schema))
