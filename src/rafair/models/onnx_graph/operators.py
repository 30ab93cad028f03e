"""Operations that can be differentiated; one function for each.

A function gets the node and its inputs, None for an input that the node omits, and returns the
node's first output.
"""

# All functions in the table take the node first.
# ruff: noqa: ARG001, ARG005
from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as nnf

from rafair.models.onnx_graph.graph import Node, Unsupported

__all__ = ["OPERATORS"]


def _axes(node: Node, given: Tensor | None) -> list[int] | None:
    """Return the axes: an attribute in older operator sets, an input in newer ones."""
    found = node.get("axes") if given is None else given.tolist()
    return None if found is None else list(found)


def _ints(values: Tensor) -> list[int]:
    return [int(value) for value in values.reshape(-1).tolist()]


def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if node.get("transA", 0) else a
    b = b.T if node.get("transB", 0) else b
    product = node.get("alpha", 1.0) * (a @ b)
    whole: Tensor = product if c is None else product + node.get("beta", 1.0) * c
    return whole


def div(node: Node, a: Tensor, b: Tensor) -> Tensor:
    whole = not (a.is_floating_point() or b.is_floating_point())
    return torch.div(a, b, rounding_mode="trunc") if whole else a / b


def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    if low is None and "min" in node.attributes:
        low = x.new_tensor(node.get("min"))
    if high is None and "max" in node.attributes:
        high = x.new_tensor(node.get("max"))
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def softmax(node: Node, x: Tensor) -> Tensor:
    return _normalised(node, x, torch.softmax)


def log_softmax(node: Node, x: Tensor) -> Tensor:
    return _normalised(node, x, torch.log_softmax)


def _normalised(node: Node, x: Tensor, how: Callable[..., Tensor]) -> Tensor:
    if node.version >= 13:
        return how(x, dim=node.get("axis", -1))
    axis = node.get("axis", 1) % x.ndim
    rows = x.reshape(math.prod(x.shape[:axis]), -1)
    return how(rows, dim=1).reshape(x.shape)


def batch_normalization(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    if node.get("training_mode", 0):
        raise Unsupported("BatchNormalization in training has no gradient here")
    return nnf.batch_norm(x, mean, var, scale, bias, eps=node.get("epsilon", 1e-5))


def layer_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[node.get("axis", -1) % x.ndim :]
    offset = None if bias is None else bias.expand(shape)
    return nnf.layer_norm(x, shape, scale.expand(shape), offset, node.get("epsilon", 1e-5))


def dropout(
    node: Node, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None
) -> Tensor:
    if training is not None and bool(training):
        raise Unsupported("Dropout in training has no gradient here")
    return x


def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sizes = _ints(shape)
    if not node.get("allowzero", 0):
        sizes = [size or x.shape[place] for place, size in enumerate(sizes)]
    return x.reshape(sizes)


def flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = _axes(node, axes)
    return x.squeeze() if chosen is None else x.squeeze(tuple(chosen))


def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = _axes(node, axes) or []
    rank = x.ndim + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(tuple(node.get("perm") or reversed(range(x.ndim))))


def cast_integer(node: Node, x: Tensor) -> Tensor:
    if x.is_floating_point():
        raise Unsupported("Cast to whole numbers has no gradient here")
    return x


def _reduced(how: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def operation(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = _axes(node, axes)
        if not chosen and node.get("noop_with_empty_axes", 0):
            return x
        return how(x, dim=chosen or list(range(x.ndim)), keepdim=bool(node.get("keepdims", 1)))

    return operation


def gather(node: Node, x: Tensor, index: Tensor) -> Tensor:
    if index.is_floating_point():
        raise Unsupported("Gather by computed places has no gradient here")
    axis = node.get("axis", 0) % x.ndim
    places = index.reshape(-1) % max(x.shape[axis], 1)
    sizes = [*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]]
    return x.index_select(axis, places).reshape(sizes)


def slices(node: Node, x: Tensor, *given: Tensor | None) -> Tensor:
    starts, ends, axes, steps = [None if part is None else _ints(part) for part in _four(given)]
    starts = starts if starts is not None else list(node.get("starts", ()))
    ends = ends if ends is not None else list(node.get("ends", ()))
    axes = axes or list(node.get("axes") or range(len(starts)))
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        # Python's slices work like ONNX's, except that a backward slice that includes the first
        # element must end in None.
        stop = None if step < 0 and end < -x.shape[axis] else end
        places = list(range(x.shape[axis]))[slice(start, stop, step)]
        x = x.index_select(axis % x.ndim, torch.tensor(places, device=x.device, dtype=torch.int64))
    return x


def _four(given: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    return [*given, *[None] * (4 - len(given))]


def normalizer(node: Node, x: Tensor) -> Tensor:
    norm = node.get("norm", "MAX")
    if norm == "MAX":
        size = x.amax(dim=1, keepdim=True)
    else:
        size = torch.linalg.vector_norm(x, ord=1 if norm == "L1" else 2, dim=1, keepdim=True)
    return x / torch.where(size == 0, torch.ones_like(size), size)


def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def gelu(node: Node, x: Tensor) -> Tensor:
    return nnf.gelu(x, approximate=node.get("approximate", "none"))


def elu(node: Node, x: Tensor) -> Tensor:
    return nnf.elu(x, node.get("alpha", 1.0))


def selu(node: Node, x: Tensor) -> Tensor:
    alpha, gamma = node.get("alpha", 1.6732632), node.get("gamma", 1.0507010)
    # Without the clamp, expm1 of a large number is infinite and the gradient NaN.
    scaled: Tensor = gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp_max(0.0)))
    return scaled


def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    line: Tensor = node.get("alpha", 0.2) * x + node.get("beta", 0.5)
    return line.clamp(0.0, 1.0)


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Turn a function of one tensor into an operation."""
    return lambda node, x: function(x)


def _pair(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Turn a function of two tensors into an operation; more inputs are combined left to right."""
    return lambda node, *parts: reduce(function, parts)


OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": _plain(torch.abs),
    "Add": _pair(torch.add),
    "ArrayFeatureExtractor": lambda node, x, places: x[..., places.reshape(-1)],
    "BatchNormalization": batch_normalization,
    "Cast": lambda node, x, like: x.to(like.dtype),
    "CastInteger": cast_integer,
    "Clip": clip,
    "Concat": lambda node, *parts: torch.cat(parts, dim=node.get("axis", 1)),
    "Div": div,
    "Dropout": dropout,
    "Elu": elu,
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Flatten": flatten,
    "Gather": gather,
    "Gelu": gelu,
    "Gemm": gemm,
    "HardSigmoid": hard_sigmoid,
    "Identity": _plain(lambda x: x),
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda node, x: nnf.leaky_relu(x, node.get("alpha", 0.01)),
    "Log": _plain(torch.log),
    "LogSoftmax": log_softmax,
    "MatMul": _pair(torch.matmul),
    "Max": _pair(torch.maximum),
    "Mean": lambda node, *parts: reduce(torch.add, parts) / len(parts),
    "Min": _pair(torch.minimum),
    "Mul": _pair(torch.mul),
    "Neg": _plain(torch.neg),
    "Normalizer": normalizer,
    "PRelu": prelu,
    "Pow": _pair(torch.pow),
    "Reciprocal": _plain(torch.reciprocal),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": reshape,
    "Selu": selu,
    "Shape": lambda node, x: torch.tensor(x.shape, device=x.device)[_shape_part(node)],
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": slices,
    "Softmax": softmax,
    "Softplus": lambda node, x: torch.logaddexp(x, torch.zeros_like(x)),
    "Softsign": _plain(nnf.softsign),
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": squeeze,
    "Sub": _pair(torch.sub),
    "Sum": _pair(torch.add),
    "Tanh": _plain(torch.tanh),
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}


def _shape_part(node: Node) -> slice:
    return slice(node.get("start"), node.get("end"))
