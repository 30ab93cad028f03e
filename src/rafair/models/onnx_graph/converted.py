"""A graph as a torch module, reduced to the nodes that the scores need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.models.onnx_graph import operators
from rafair.models.onnx_graph.graph import Graph, Node, Unsupported
from rafair.models.onnx_graph.rewriting import LIKE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GraphModule", "calculating_type", "peel", "reduced"]

# Operations that do not change the numbers of their input.
PASSING = ("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze")


class GraphModule(nn.Module):
    """A torch module that runs the nodes of a graph one after the other.

    Parameters
    ----------
    graph : Graph
        A graph that ``reduced`` returned.
    wanted : str
        The value to return.
    """

    def __init__(self, graph: Graph, wanted: str) -> None:
        super().__init__()
        self.nodes = graph.nodes
        self.source = graph.source
        self.wanted = wanted
        self.names = tuple(graph.constants)
        for place, tensor in enumerate(graph.constants.values()):
            self.register_buffer(f"constant{place}", tensor)

    @property
    def graph(self) -> Graph:
        """The graph, with the current values of the constants."""
        tensors = (self.get_buffer(f"constant{place}") for place in range(len(self.names)))
        return Graph(self.nodes, dict(zip(self.names, tensors, strict=True)), self.source)

    def forward(self, x: Tensor) -> Tensor:
        """Return the wanted value for rows x, shape (n, d)."""
        values = dict(self.graph.constants)
        values[self.source] = x.to(values[LIKE].dtype)
        for node in self.nodes:
            values[node.outputs[0]] = _done(node, values)
        return values[self.wanted]

    def extra_repr(self) -> str:
        """Return the nodes as text, so that the digest depends on them."""
        return "\n".join(
            f"{node.outputs[0]} = {node.op}({', '.join(node.inputs)}) "
            f"{ {k: v for k, v in node.attributes.items() if not isinstance(v, Tensor)} }"
            for node in self.nodes
        )


def _done(node: Node, values: dict[str, Tensor]) -> Tensor:
    given = [values[name] if name else None for name in node.inputs]
    result: Tensor = operators.OPERATORS[node.op](node, *given)
    return result


def calculating_type(graph: Graph, double: bool) -> torch.dtype:
    """Return float64 if ``double`` is true or one of the constants is float64, else float32."""
    doubles = any(tensor.dtype == torch.float64 for tensor in graph.constants.values())
    return torch.float64 if double or doubles else torch.float32


def reduced(graph: Graph, wanted: str, dtype: torch.dtype) -> Graph:
    """Return a graph without the nodes that a value does not need.

    Nodes that depend on constants only are computed now and become constants.

    Parameters
    ----------
    wanted : str
        The value that the graph must compute.
    dtype : torch.dtype
        Type of all floating-point constants in the result.

    Raises
    ------
    Unsupported
        If the value needs an operation that rafair cannot differentiate, or does not depend on the
        input.
    """
    like = {LIKE: torch.zeros((), dtype=dtype)}
    values = {n: t.to(dtype) if t.is_floating_point() else t for n, t in graph.constants.items()}
    values |= like
    nodes = []
    with torch.no_grad():
        for node in _needed(graph, wanted):
            if all(name in values or not name for name in node.inputs):
                values[node.outputs[0]] = _done(node, values)
            else:
                nodes.append(node)
    if wanted in values or wanted == graph.source:
        raise Unsupported("a score that no operation computes from the input has no gradient here")
    used = {name for node in nodes for name in node.inputs}
    constants = {name: tensor for name, tensor in values.items() if name in used}
    return Graph(tuple(nodes), like | constants, graph.source)


def _needed(graph: Graph, wanted: str) -> Iterator[Node]:
    """Return an iterator over the nodes that a value needs, in order."""
    missing = {wanted}
    chosen: set[int] = set()
    for place in reversed(range(len(graph.nodes))):
        node = graph.nodes[place]
        asked = missing & {name for name in node.outputs if name}
        if not asked:
            continue
        if node.op not in operators.OPERATORS or asked != {node.outputs[0]}:
            raise Unsupported(f"{node.op} has no gradient here")
        missing = (missing - asked) | {name for name in node.inputs if name}
        chosen.add(place)
    strange = sorted(missing - set(graph.constants) - {graph.source, LIKE})
    if strange:
        raise Unsupported(f"{strange[0]!r} has no gradient here")
    return (node for place, node in enumerate(graph.nodes) if place in chosen)


def peel(graph: Graph, wanted: str) -> tuple[str, str]:
    """Find the logits before a last sigmoid or softmax.

    Returns
    -------
    tuple of str and str
        The name of the value before the last sigmoid or softmax, and which function follows it:
        ``"softmax"``, ``"log-softmax"`` or ``"sigmoid"``. If there is none, ``wanted`` and ``""``.
        After ``"sigmoid"``, the value is a logit only if it has a single column.
    """
    node = graph.producer(wanted)
    normed = False
    while node is not None and (node.op in PASSING or _is_norm(node)):
        normed |= node.op == "Normalizer"
        node = graph.producer(node.inputs[0])
    if node is None:
        return wanted, ""
    across = node.get("axis", 1) in (1, -1)
    if node.op == "Softmax" and across:
        return node.inputs[0], "softmax"
    if node.op == "LogSoftmax" and across and not normed:
        return node.inputs[0], "log-softmax"
    if node.op == "Sigmoid" and not normed:
        return node.inputs[0], "sigmoid"
    logit = _two_sides(graph, node)
    return (logit, "sigmoid") if logit else (wanted, "")


def _is_norm(node: Node) -> bool:
    """Tell whether a node scales rows to sum 1; rows of a softmax and of (1 − p, p) do already."""
    return node.op == "Normalizer" and node.get("norm") == "L1"


def _two_sides(graph: Graph, node: Node) -> str:
    """Return the logit z of a pair of columns 1 − σ(z), σ(z)."""
    if node.op != "Concat" or len(node.inputs) != 2 or node.get("axis") not in (1, -1):
        return ""
    rest, p = (graph.producer(name) for name in node.inputs)
    if rest is None or p is None or (rest.op, p.op) != ("Sub", "Sigmoid"):
        return ""
    one = graph.constants.get(rest.inputs[0])
    whole = one is not None and one.numel() == 1 and float(one) == 1
    return p.inputs[0] if whole and rest.inputs[1] == node.inputs[1] else ""
