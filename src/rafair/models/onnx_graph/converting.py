"""From a graph to a torch module on unit-space rows, in the order of the data's classes."""

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

# Far from the data a logit leaves [0, 1], a probability does not.
FAR = 1e3


def convert(
    model: Any,
    entry: Entry,
    answer: Answered,
    feed: Feed,
    rows: Tensor,
    output: Returned | Literal["auto"],
) -> tuple[nn.Module, Returned, Returned]:
    """Convert what of a graph the scores need.

    Parameters
    ----------
    rows : Tensor, shape (n, d), unit space
        To try it on.

    Returns
    -------
    tuple of torch.nn.Module, str and str
        The module; what it returns; what the graph itself returns. A last softmax or sigmoid is
        left out.

    Raises
    ------
    Unsupported
        If something in it cannot be differentiated, or is not known here.
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
    """Return for each class the place of its score; one column stands for two."""
    classes = answer.classes or tuple(range(max(columns, 2)))
    return class_order(classes, schema)


def _without_end(
    graph: Graph, whole: GraphModule, rows: Tensor, dtype: torch.dtype
) -> tuple[GraphModule, str]:
    """Return the part of a graph before a last softmax or sigmoid, and which it is."""
    inner, ending = peel(graph, whole.wanted)
    if not ending:
        return whole, ""
    part = GraphModule(reduced(graph, inner, dtype), inner)
    try:
        columns = _columns(_probed(part, rows))
    except Unsupported:  # it has no table of scores there
        return whole, ""
    return (part, ending) if (ending == "sigmoid") == (columns == 1) else (whole, "")


def _probed(module: GraphModule, rows: Tensor) -> Tensor:
    """Return what a converted graph returns for some rows, as it reads them."""
    try:
        with torch.no_grad():
            raw: Tensor = module(rows)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        # An operation in a way that is not known here; onnxruntime may know it.
        raise Unsupported("an unusual operation has no gradient here") from error
    if raw.ndim not in (1, 2) or len(raw) != len(rows) or not raw.is_floating_point():
        raise Unsupported("an output that is no table of scores has no gradient here")
    return raw


def _columns(raw: Tensor) -> int:
    return raw.shape[1] if raw.ndim == 2 else 1


def _returned(
    part: GraphModule, rows: Tensor, ending: str, output: Returned | Literal["auto"]
) -> Returned:
    """Tell what a graph returns: by its last operation, by what the user says, or by its range."""
    if ending:
        return "logits" if ending == "log-softmax" else "probabilities"
    if output != "auto":
        return output
    for scale in (1.0, FAR, -FAR):
        raw = _probed(part, rows * scale)
        if not torch.isfinite(raw).all():
            continue  # an exponential, far from the data
        if answer_of(raw.numpy(), len(rows), max(_columns(raw), 2)) == "logits":
            return "logits"
    return "probabilities"


def _last(order: tuple[int, ...], columns: int, returned: Returned) -> nn.Linear | None:
    """Return a layer that brings scores into the order of the data's classes, if one is needed."""
    if order == tuple(range(len(order))):
        return None
    layer = nn.Linear(columns, columns, dtype=torch.float64).requires_grad_(requires_grad=False)
    if columns == 1:  # −z, or 1 − p
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
    """Put the parts behind one another: linear layers with ReLU where the graph is just that."""
    behind = [] if last is None else [last]
    chain = chain_of(part.graph, part.wanted, width, front)
    if chain is not None:
        for layer in behind:
            chain.layer(layer)
        return chain.module(dtype)
    layers = [*front, part, *(layer.to(dtype) for layer in behind)]
    # Original units before the graph stay in float64: they can be far larger than what they mean.
    return (nn.Sequential(*layers) if len(layers) > 1 else part).eval()
