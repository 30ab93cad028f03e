"""Convert a graph to a torch module from unit-space rows to scores in the data's class order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.models.class_order import class_order
from rafair.models.inputs import choose_inputs, front_layers
from rafair.models.onnx_graph.chain import chain_of
from rafair.models.onnx_graph.converted import GraphModule, calculating_type, peel, reduced
from rafair.models.onnx_graph.graph import Unsupported, read_graph
from rafair.models.onnx_graph.rewriting import rewritten
from rafair.models.queried import answer_of

if TYPE_CHECKING:
    from rafair.models.inputs import Feed
    from rafair.models.onnx_graph.answers import Answered, Entry
    from rafair.models.onnx_graph.graph import Graph
    from rafair.schema import Schema

__all__ = ["Returned", "convert", "score_order"]

Returned: TypeAlias = Literal["logits", "probabilities"]

# Rows are scaled by this factor: far from the data a logit leaves [0, 1], a probability does not.
FAR = 1e3


def convert(
    model: Any,
    entry: Entry,
    answer: Answered,
    feed: Feed,
    rows: Tensor,
    output: Returned | Literal["auto"],
) -> tuple[nn.Module, Returned, Returned]:
    """Convert the part of a graph that the scores need.

    Parameters
    ----------
    model : onnx.ModelProto
    entry : Entry
        The graph's input.
    answer : Answered
        The graph's output with the scores.
    feed : Feed
        Converts unit-space rows to the graph's input.
    rows : Tensor, shape (n, d), unit space
        Rows on which the converted graph is tried.
    output : {"auto", "logits", "probabilities"}
        What the graph returns.

    Returns
    -------
    tuple of torch.nn.Module, str and str
        The module, without a last softmax or sigmoid of the graph; what the module returns; what
        the graph itself returns.

    Raises
    ------
    Unsupported
        If rafair cannot differentiate an operation that the scores need.
    """
    _check_readable(entry, answer, feed)
    graph = rewritten(read_graph(model, entry.name))
    dtype = calculating_type(graph, double=entry.dtype == "float64")
    given = torch.as_tensor(feed(rows))
    part, ending = GraphModule(reduced(graph, answer.name, dtype), answer.name), ""
    columns = _columns(_probed(part, given))
    if output != "logits":
        part, ending = _without_end(graph, part, given, dtype)
        columns = _columns(_probed(part, given))
    returned = _returned(part, given, ending, output)
    left: Returned = "logits" if ending else returned
    last = _last(score_order(answer, columns, feed.schema), columns, left)
    front = front_layers(choose_inputs(feed.inputs, feed.schema), feed.schema)
    return _joined(front, part, last, rows.shape[1], dtype), left, returned


def _check_readable(entry: Entry, answer: Answered, feed: Feed) -> None:
    if feed.inputs == "frame":
        raise Unsupported("named columns have no gradient here")
    if answer.decides:
        raise Unsupported("a class without scores has no gradient here")
    if entry.dtype not in ("float32", "float64"):
        raise Unsupported(f"an input of {entry.dtype} has no gradient here")


def score_order(answer: Answered, columns: int, schema: Schema | None) -> tuple[int, ...]:
    """Return for each class the place of its score; a single column counts as two classes."""
    classes = answer.classes or tuple(range(max(columns, 2)))
    return class_order(classes, schema)


def _without_end(
    graph: Graph, whole: GraphModule, rows: Tensor, dtype: torch.dtype
) -> tuple[GraphModule, str]:
    """Return the part of a graph before a last softmax or sigmoid, and that function's name."""
    inner, ending = peel(graph, whole.wanted)
    if not ending:
        return whole, ""
    part = GraphModule(reduced(graph, inner, dtype), inner)
    try:
        columns = _columns(_probed(part, rows))
    except Unsupported:  # the value before that function is no table of scores
        return whole, ""
    return (part, ending) if (ending == "sigmoid") == (columns == 1) else (whole, "")


def _probed(module: GraphModule, rows: Tensor) -> Tensor:
    """Return a converted graph's output for rows that are in the form that the graph reads."""
    try:
        with torch.no_grad():
            raw: Tensor = module(rows)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        # The graph uses an operation in a way that operators.py does not handle; onnxruntime may.
        raise Unsupported("an unusual operation has no gradient here") from error
    if raw.ndim not in (1, 2) or len(raw) != len(rows) or not raw.is_floating_point():
        raise Unsupported("an output that is no table of scores has no gradient here")
    return raw


def _columns(raw: Tensor) -> int:
    return raw.shape[1] if raw.ndim == 2 else 1


def _returned(
    part: GraphModule, rows: Tensor, ending: str, output: Returned | Literal["auto"]
) -> Returned:
    """Tell from the last operation, the user's ``output`` or the range what a graph returns."""
    if ending:
        return "logits" if ending == "log-softmax" else "probabilities"
    if output != "auto":
        return output
    for scale in (1.0, FAR, -FAR):
        raw = _probed(part, rows * scale)
        if not torch.isfinite(raw).all():
            continue  # an exponential overflows far from the data
        if answer_of(raw.numpy(), len(rows), max(_columns(raw), 2)) == "logits":
            return "logits"
    return "probabilities"


def _last(order: tuple[int, ...], columns: int, returned: Returned) -> nn.Linear | None:
    """Return a layer that puts scores in the order of the data's classes, if one is needed."""
    if order == tuple(range(len(order))):
        return None
    layer = nn.Linear(columns, columns, dtype=torch.float64).requires_grad_(requires_grad=False)
    if columns == 1:  # the score of the other class is −z or 1 − p
        nn.init.constant_(layer.weight, -1.0)
        nn.init.constant_(layer.bias, float(returned == "probabilities"))
    else:
        layer.weight.copy_(torch.eye(columns)[list(order)])
        nn.init.zeros_(layer.bias)
    return layer


def _joined(
    front: list[nn.Module],
    part: GraphModule,
    last: nn.Linear | None,
    width: int,
    dtype: torch.dtype,
) -> nn.Module:
    """Join the parts; a graph of linear operations and ReLU becomes linear layers with ReLU."""
    behind = [] if last is None else [last]
    chain = chain_of(part.graph, part.wanted, width, front)
    if chain is not None:
        for layer in behind:
            chain.layer(layer)
        return chain.module(dtype)
    layers = [*front, part, *(layer.to(dtype) for layer in behind)]
    # Layers before the graph stay in float64: numbers in original units can be so large that their
    # differences are lost in float32.
    return (nn.Sequential(*layers) if len(layers) > 1 else part).eval()
