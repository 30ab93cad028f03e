"""Convert a graph to a plain network, linear layers and activations, where possible."""

# All functions in the table have the same parameters.
# ruff: noqa: ARG001
from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from rafair.models.chain import Chain, NotAChain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.models.onnx_graph.graph import Graph, Node

__all__ = ["chain_of"]

Step: TypeAlias = "Callable[[Chain, Node, list[Tensor | None]], None]"


def chain_of(graph: Graph, wanted: str, width: int, front: Sequence[nn.Module]) -> Chain | None:
    """Return a graph as a chain, or None if it has other operations or branches.

    Parameters
    ----------
    graph : Graph
        A graph that ``reduced`` returned.
    wanted : str
        The value that the chain returns.
    width : int
        Number of unit-space columns.
    front : sequence of torch.nn.Module
        Layers from unit-space rows to the graph's input.
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
    """Return a constant that does not differ between rows, shape (width,).

    Raises
    ------
    NotAChain
        If ``tensor`` is no such constant.
    """
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


def _activation(make: Callable[[Node], nn.Module]) -> Step:
    """Return a step that appends an activation."""

    def append(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
        chain.activated(make(node))

    return append


def _gelu(node: Node) -> nn.Module:
    return nn.GELU(approximate=node.get("approximate", "none"))


def _selu(node: Node) -> nn.Module:
    if node.get("alpha") is not None or node.get("gamma") is not None:
        raise NotAChain
    return nn.SELU()


def _same(chain: Chain, node: Node, given: list[Tensor | None]) -> None:
    """Append nothing: the operation does not change the rows."""


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


STEPS: dict[str, Step] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Cast": _same,
    "Div": _div,
    "Dropout": _same,
    "Elu": _activation(lambda node: nn.ELU(node.get("alpha", 1.0))),
    "Flatten": _flatten,
    "Gelu": _activation(_gelu),
    "Gemm": _gemm,
    "Identity": _same,
    "LeakyRelu": _activation(lambda node: nn.LeakyReLU(node.get("alpha", 0.01))),
    "MatMul": _gemm,
    "Mul": _mul,
    "Neg": _neg,
    "Relu": _activation(lambda _: nn.ReLU()),
    "Reshape": _reshape,
    "Selu": _activation(_selu),
    "Sigmoid": _activation(lambda _: nn.Sigmoid()),
    "Softplus": _activation(lambda _: nn.Softplus()),
    "Softsign": _activation(lambda _: nn.Softsign()),
    "Squeeze": _squeeze,
    "Sub": _sub,
    "Tanh": _activation(lambda _: nn.Tanh()),
}
