"""An ONNX graph as plain nodes and tensors, without onnx's classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Graph", "Node", "Unsupported", "read_graph"]

# Before this version, arithmetic operations did not broadcast as they do now.
OLDEST = 7
NEWEST = 99


class Unsupported(Exception):  # noqa: N818 - no error: onnxruntime runs the graph
    """A graph cannot be converted; the message is the reason, as the report shows it."""


@dataclass(frozen=True)
class Node:
    """One operation of a graph; ``version`` is the version of its operator set."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    version: int

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute of this name, or ``default``."""
        return self.attributes.get(name, default)

    def like(self, op: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> Node:
        """Return a node with one output and the newest version, to replace this node."""
        return Node(op, inputs, (output,), attributes, NEWEST)


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph with one input, its nodes in an order in which they can be run.

    Attributes
    ----------
    nodes : tuple of Node
    constants : dict of str to Tensor
        Weights and other constants by name; constants of text are left out.
    source : str
        Name of the only input that is no constant.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, Tensor]
    source: str

    def producer(self, name: str) -> Node | None:
        """Return the node that computes a value; None for a constant or the input."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def with_nodes(self, nodes: tuple[Node, ...], constants: Mapping[str, Tensor]) -> Graph:
        """Return this graph with other nodes and additional constants."""
        return replace(self, nodes=nodes, constants={**self.constants, **constants})


def read_graph(model: Any, source: str) -> Graph:
    """Read the nodes and constants of an ``onnx.ModelProto``.

    Parameters
    ----------
    model : onnx.ModelProto
    source : str
        Name of the input.

    Raises
    ------
    Unsupported
        If its operator set is too old.
    """
    versions = {_domain(entry.domain): entry.version for entry in model.opset_import}
    if versions.get("", NEWEST) < OLDEST:
        raise Unsupported(f"operator set {versions['']} has no gradient here")
    tensors = {entry.name: entry for entry in model.graph.initializer}
    constants = {name: _tensor(entry) for name, entry in tensors.items()}
    nodes = []
    for proto in model.graph.node:
        domain = _domain(proto.domain)
        attributes = {entry.name: _attribute(entry) for entry in proto.attribute}
        if proto.op_type == "Constant" and not domain:
            constants[proto.output[0]] = _constant(attributes)
            continue
        op = f"{domain}.{proto.op_type}" if domain not in ("", "ml") else proto.op_type
        version = versions.get(domain, NEWEST)
        nodes.append(Node(op, tuple(proto.input), tuple(proto.output), attributes, version))
    known = {name: tensor for name, tensor in constants.items() if tensor is not None}
    return Graph(tuple(nodes), known, source)


def _domain(name: str) -> str:
    return {"ai.onnx": "", "ai.onnx.ml": "ml"}.get(name, name)


def _attribute(entry: Any) -> Any:
    """Return an attribute: a number, a text, a tuple of these or a tensor; None for other types."""
    onnx = need("onnx", "onnx")
    if entry.type == onnx.AttributeProto.TENSOR:
        return _tensor(entry.t)
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int | float):
        return value
    plain = {onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS, onnx.AttributeProto.STRINGS}
    if entry.type not in plain:
        return None
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else v for v in value)


def _tensor(entry: Any) -> Tensor | None:
    try:
        return torch.from_numpy(need("onnx.numpy_helper", "onnx").to_array(entry).copy())
    except TypeError:  # text, or a type of number that torch does not have
        return None


def _constant(attributes: Mapping[str, Any]) -> Tensor | None:
    if "value" in attributes:
        found: Tensor | None = attributes["value"]
        return found
    for name, kind in (("float", torch.float32), ("int", torch.int64)):
        for given in (f"value_{name}", f"value_{name}s"):
            if given in attributes:
                return torch.tensor(attributes[given], dtype=kind)
    return None
