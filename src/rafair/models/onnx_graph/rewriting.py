"""Rewrite ONNX-ML operations as plain ones; one function for each operation."""

# All functions in the table have the same parameters.
# ruff: noqa: ARG001
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from rafair.models.onnx_graph.graph import Graph, Node, Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LIKE", "REWRITINGS", "rewritten"]

# Name of a constant that has the graph's floating-point type. A cast to any floating-point type
# becomes a cast to the type of this constant.
LIKE = "like"
# ONNX's numbers of the types float, float16, double and bfloat16.
FLOATS = (1, 10, 11, 16)

Rewriting: TypeAlias = Callable[[Node, dict[str, Tensor]], list[Node]]


def rewritten(graph: Graph) -> Graph:
    """Return a graph in which the operations in ``REWRITINGS`` are replaced by plain ones."""
    constants: dict[str, Tensor] = {}
    nodes = []
    for node in graph.nodes:
        try:
            nodes += REWRITINGS[node.op](node, constants) if node.op in REWRITINGS else [node]
        except Unsupported:
            nodes.append(node)  # the scores may not need this node
    return graph.with_nodes(tuple(nodes), constants)


def _hold(constants: dict[str, Tensor], name: str, values: Sequence[float] | Tensor) -> str:
    """Add a float32 constant and return its name."""
    numbers = values if isinstance(values, Tensor) else torch.tensor(list(values))
    constants[name] = numbers.to(torch.float32)
    return name


def cast(node: Node, constants: dict[str, Tensor]) -> list[Node]:
    """Replace a cast to a floating-point type by a cast to the type of the whole graph."""
    if node.get("to") not in FLOATS:
        return [node.like("CastInteger", node.inputs, node.outputs[0])]
    return [node.like("Cast", (node.inputs[0], LIKE), node.outputs[0])]


def scaler(node: Node, constants: dict[str, Tensor]) -> list[Node]:
    """Subtract an offset, multiply by a scale."""
    out = node.outputs[0]
    offset = _hold(constants, f"{out} offset", node.get("offset") or (0.0,))
    scale = _hold(constants, f"{out} scale", node.get("scale") or (1.0,))
    moved = f"{out} moved"
    return [
        node.like("Sub", (node.inputs[0], offset), moved),
        node.like("Mul", (moved, scale), out),
    ]


def imputer(node: Node, constants: dict[str, Tensor]) -> list[Node]:
    """Return the input unchanged: rows have no missing values.

    Raises
    ------
    Unsupported
        If a number, not NaN, stands for a missing value.
    """
    replaced = node.get("replaced_value_float", float("nan"))
    if not math.isnan(replaced) or "replaced_value_int64" in node.attributes:
        raise Unsupported("Imputer of a number has no gradient here")
    return [node.like("Identity", node.inputs, node.outputs[0])]


def feature_vectorizer(node: Node, constants: dict[str, Tensor]) -> list[Node]:
    """Concatenate the columns of all inputs."""
    return [node.like("Concat", node.inputs, node.outputs[0], axis=1)]


def linear_classifier(node: Node, constants: dict[str, Tensor]) -> list[Node]:
    """Compute linear scores, and apply the function that ``post_transform`` names.

    Raises
    ------
    Unsupported
        If the number of classes is unclear, or the function is another than the ones known here.
    """
    labels = node.get("classlabels_strings") or node.get("classlabels_ints") or ()
    coefficients = torch.tensor(node.get("coefficients"))
    targets = len(node.get("intercepts") or labels)
    if not targets or len(node.outputs) < 2:
        raise Unsupported("LinearClassifier without classes has no gradient here")
    weight = coefficients.reshape(targets, -1)
    bias = torch.tensor(node.get("intercepts") or [0.0] * targets)
    transform = node.get("post_transform", "NONE")
    if transform == "LOGISTIC" and _is_one_logit(weight, bias):
        return _one_logit(node, weight[-1:], bias[-1:], constants)
    after = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}.get(transform)
    if after is None or targets != len(labels):
        raise Unsupported(f"LinearClassifier with {transform} has no gradient here")
    out = node.outputs[1]
    return [
        _linear(node, weight, bias, f"{out} linear", constants),
        node.like(after, (f"{out} linear",), out),
    ]


def _is_one_logit(weight: Tensor, bias: Tensor) -> bool:
    """Tell whether the scores of the two classes are −z and z, or only z is computed."""
    mirrored = len(weight) == 2 and torch.equal(weight[0], -weight[1]) and bool(bias.sum() == 0)
    return len(weight) == 1 or mirrored


def _one_logit(
    node: Node, weight: Tensor, bias: Tensor, constants: dict[str, Tensor]
) -> list[Node]:
    out = node.outputs[1]
    linear, p, rest = f"{out} linear", f"{out} p", f"{out} rest"
    one = _hold(constants, f"{out} one", [1.0])
    return [
        _linear(node, weight, bias, linear, constants),
        node.like("Sigmoid", (linear,), p),
        node.like("Sub", (one, p), rest),
        node.like("Concat", (rest, p), out, axis=1),
    ]


def _linear(
    node: Node, weight: Tensor, bias: Tensor, out: str, constants: dict[str, Tensor]
) -> Node:
    names = (_hold(constants, f"{out} weight", weight), _hold(constants, f"{out} bias", bias))
    return node.like("Gemm", (node.inputs[0], *names), out, transB=1)


REWRITINGS: dict[str, Rewriting] = {
    "Cast": cast,
    "FeatureVectorizer": feature_vectorizer,
    "Imputer": imputer,
    "LinearClassifier": linear_classifier,
    "Scaler": scaler,
}
