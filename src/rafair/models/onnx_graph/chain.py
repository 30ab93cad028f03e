"""A graph that is a plain network: linear layers with ReLU between them."""

# All functions of a table are called alike.
# ruff: noqa: ARG001
from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.models.onnx_graph.graph import Graph, Node

__all__ = ["Chain", "NotAChain", "chain_of"]


class NotAChain(Exception):  # noqa: N818 - no error: the graph is converted as it is
    """An operation that is neither linear nor a ReLU."""


class Chain:
    """A network that grows at its end; what is linear stays one layer, computed in float64.

    Parameters
    ----------
    width : int
        Number of columns read.
    front : sequence of torch.nn.Module
        Linear layers and ReLU before it.
    """

    def __init__(self, width: int, front: Sequence[nn.Module] = ()) -> None:
        self.done: list[nn.Module] = []
        self._restart(width)
        for layer in front:
            self.layer(layer)

    @property
    def width(self) -> int:
        """Number of columns at the end."""
        return len(self.offset)

    def _restart(self, width: int) -> None:
        self.matrix = torch.eye(width, dtype=torch.float64)
        self.offset = torch.zeros(width, dtype=torch.float64)

    def layer(self, layer: nn.Module) -> None:
        """Add a linear layer, or a ReLU."""
        if isinstance(layer, nn.Linear):
            self.linear(layer.weight.detach().double(), layer.bias.detach().double())
        else:
            self.relu()

    def linear(self, matrix: Tensor, offset: Tensor) -> None:
        """Add matrix · columns + offset."""
        if matrix.shape[1] != self.width:
            raise NotAChain
        self.matrix, self.offset = matrix @ self.matrix, matrix @ self.offset + offset

    def scaled(self, factor: Tensor, offset: Tensor) -> None:
        """Add factor · column + offset, both of shape (columns,)."""
        self.matrix, self.offset = self.matrix * factor[:, None], self.offset * factor + offset

    def relu(self) -> None:
        """Add a ReLU."""
        self.done += [self._last(), nn.ReLU()]
        self._restart(self.width)

    def _last(self) -> nn.Linear:
        layer = nn.Linear(self.matrix.shape[1], self.width, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(self.matrix)
            layer.bias.copy_(self.offset)
        return layer

    def module(self, dtype: torch.dtype) -> nn.Sequential:
        """Return the layers, a linear one last, without gradients of their own."""
        layers = nn.Sequential(*self.done, self._last()).to(dtype).eval()
        return layers.requires_grad_(requires_grad=False)


def chain_of(graph: Graph, wanted: str, width: int, front: Sequence[nn.Module]) -> Chain | None:
    """Return a reduced graph as a chain, or None where it is none.

    Parameters
    ----------
    width : int
        Number of columns of unit space, which ``front`` maps to the graph's input.
    """
    chain = Chain(width, front)
    value = graph.source
    try:
        for node in graph.nodes:
            open_inputs = [name for name in node.inputs if name and name not in graph.constants]
            if open_inputs != [value]:
                return None
            _append(chain, node, graph.constants)
            value = node.outputs[0]
    except NotAChain:
        return None
    return chain if value == wanted else None


def _append(chain: Chain, node: Node, constants: dict[str, Tensor]) -> None:
    if node.op not in STEPS:
        raise NotAChain
    given = [constants[name].double() if name in constants else None for name in node.inputs]
    STEPS[node.op](chain, node, given)


def _row(tensor: Tensor | None, width: int) -> Tensor:
    """Return a constant that is the same for every row, shape (width,)."""
    if tensor is None or tensor.ndim > 2:
        raise NotAChain
    if tensor.numel() != 1 and (tensor.numel() != width or tensor.shape[-1] != width):
        raise NotAChain
    return tensor.reshape(-1).expand(width)


def _gemm(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    matrix, offset = given[1], given[2] if len(given) > 2 else torch.zeros(1)
    if matrix is None or matrix.ndim != 2 or node.get("transA", 0):
        raise NotAChain
    matrix = node.get("alpha", 1.0) * (matrix if node.get("transB", 0) else matrix.T)
    chain.linear(matrix, node.get("beta", 1.0) * _row(offset, len(matrix)))


def _add(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    both = [tensor for tensor in given if tensor is not None]
    chain.scaled(_ones(chain), _row(both[0] if len(both) == 1 else None, chain.width))


def _sub(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    sign = 1.0 if given[0] is None else -1.0
    offset = _row(given[1] if given[0] is None else given[0], chain.width)
    chain.scaled(sign * _ones(chain), -sign * offset)


def _mul(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    factor = _row(given[1] if given[0] is None else given[0], chain.width)
    chain.scaled(factor, torch.zeros_like(factor))


def _div(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    factor = 1 / _row(given[1], chain.width)
    chain.scaled(factor, torch.zeros_like(factor))


def _neg(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    chain.scaled(-_ones(chain), torch.zeros_like(chain.offset))


def _batch_normalization(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    scale, bias, mean, var = (_row(tensor, chain.width) for tensor in given[1:5])
    factor = scale / torch.sqrt(var + node.get("epsilon", 1e-5))
    chain.scaled(factor, bias - mean * factor)


def _relu(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    chain.relu()


def _same(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    """Let rows pass."""


def _flatten(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    if node.get("axis", 1) not in (1, -1):
        raise NotAChain


def _reshape(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    sizes = [] if given[1] is None else [int(size) for size in given[1].reshape(-1).tolist()]
    if sizes not in ([-1, chain.width], [0, -1], [0, chain.width]):
        raise NotAChain


def _squeeze(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    axes = node.get("axes") if len(given) < 2 or given[1] is None else given[1].tolist()
    if chain.width != 1 or list(axes or ()) not in ([1], [-1]):
        raise NotAChain


def _ones(chain: Chain) -> Tensor:
    return torch.ones_like(chain.offset)


STEPS: dict[str, Callable[[Chain, Node, list[Tensor | None]], None]] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Cast": _same,
    "Div": _div,
    "Dropout": _same,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "Identity": _same,
    "MatMul": _gemm,
    "Mul": _mul,
    "Neg": _neg,
    "Relu": _relu,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Sub": _sub,
}
