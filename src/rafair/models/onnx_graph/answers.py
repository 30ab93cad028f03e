"""The inputs of a graph, its output with the scores, and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Answered", "Entry", "answered", "check_model", "entries"]

# ONNX's numbers of tensor types, and the numpy types.
FLOATS = {1: "float32", 10: "float16", 11: "float64"}
TYPES = {
    **FLOATS,
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "object",
    9: "bool",
}
TEXT = 8
LABELS = (6, 7, 8)
# Parts of names of outputs with scores, in order of preference.
NAMES = ("prob", "logit", "score")


@dataclass(frozen=True)
class Entry:
    """An input: name, numpy type, number of axes, and number of columns if the graph gives it."""

    name: str
    dtype: str
    rank: int
    width: int | None


@dataclass(frozen=True)
class Answered:
    """The value of a graph that is used as the model's output.

    Attributes
    ----------
    name : str
    elem_type : int
        ONNX's number of the value's type.
    classes : tuple
        The classes that the graph names; may be empty.
    decides : bool
        Whether the value is the predicted class itself, without scores.
    """

    name: str
    elem_type: int
    classes: tuple[Any, ...]
    decides: bool = False


def check_model(model: Any) -> None:
    """Refuse a broken model.

    Raises
    ------
    InvalidInput
        If ``onnx.checker`` finds it broken, or its weights are in another file.
    """
    onnx = need("onnx", "onnx")
    outside = [t.name for t in _tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise InvalidInput(
            f"ONNX model: the weights {outside[0]!r} lie in another file; read it with "
            "onnx.load(path), which reads them too"
        )
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise InvalidInput(f"ONNX model: onnx.checker finds it broken: {reason}") from error


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (entry.t for entry in node.attribute if entry.HasField("t"))


def entries(model: Any) -> tuple[Entry, ...]:
    """Return the inputs of a graph except its weights, which ONNX may list as inputs too.

    Raises
    ------
    InvalidInput
        If there is no such input, or an input is no table or column of numbers or text.
    """
    weights = {entry.name for entry in model.graph.initializer}
    found = [_entry(value) for value in model.graph.input if value.name not in weights]
    if not found:
        raise InvalidInput("ONNX model: the graph has no input")
    return tuple(found)


def _entry(value: Any) -> Entry:
    kind = value.type.tensor_type
    sizes = list(kind.shape.dim) if kind.HasField("shape") else [None, None]
    dtype = TYPES.get(kind.elem_type) if value.type.HasField("tensor_type") else None
    if dtype is None or len(sizes) not in (1, 2):
        raise InvalidInput(
            f"ONNX model: input {value.name!r} is no table (n, columns) of numbers or text"
        )
    last = sizes[1] if len(sizes) == 2 else None
    width = last.dim_value if last is not None and last.dim_value > 0 else None
    return Entry(value.name, dtype, len(sizes), 1 if len(sizes) == 1 else width)


def answered(model: Any) -> Answered:
    """Choose the output to use: one with scores, or else one with predicted classes.

    Of several outputs with scores, one whose name contains ``"prob"``, ``"logit"`` or ``"score"``
    is preferred, in this order; otherwise the first is used.

    Raises
    ------
    InvalidInput
        If no output holds scores or classes.
    """
    outputs = [_output(model, value) for value in model.graph.output]
    scores = [found for found in outputs if found is not None and not found.decides]
    for name in NAMES:
        scores.sort(key=lambda found, name=name: name not in found.name.lower())  # type: ignore[misc]
        if scores and name in scores[0].name.lower():
            return scores[0]
    if scores:
        return scores[0]
    decisions = [found for found in outputs if found is not None]
    if not decisions:
        names = ", ".join(value.name for value in model.graph.output)
        raise InvalidInput(f"ONNX model: none of its outputs ({names}) holds scores or classes")
    return decisions[0]


def _output(model: Any, value: Any) -> Answered | None:
    kind = value.type.tensor_type.elem_type
    if value.type.HasField("sequence_type"):
        maker = next((n for n in model.graph.node if value.name in n.output), None)
        if maker is None or maker.op_type != "ZipMap":
            return None
        return Answered(maker.input[0], 1, _labels_of(maker))
    if kind in FLOATS:
        return Answered(value.name, kind, _classes(model))
    return Answered(value.name, kind, _classes(model), decides=True) if kind in LABELS else None


def _labels_of(node: Any) -> tuple[Any, ...]:
    """Return the class labels among a node's attributes."""
    for entry in node.attribute:
        if entry.name.startswith("classlabels"):
            text = [label.decode(errors="replace") for label in entry.strings]
            return tuple(text or entry.ints)
    return ()


def _classes(model: Any) -> tuple[Any, ...]:
    """Return the class labels of a graph; empty if it has no list of labels, or different ones."""
    found = {_labels_of(node) for node in model.graph.node} | set(_picked(model))
    found.discard(())
    return found.pop() if len(found) == 1 else ()


def _picked(model: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the lists of labels from which an arg-max selects the predicted label."""
    makers = {name: node for node in model.graph.node for name in node.output}
    weights = {entry.name: entry for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "ArrayFeatureExtractor" or node.input[0] not in weights:
            continue
        maker = makers.get(node.input[1])
        while maker is not None and maker.op_type in ("Cast", "Reshape", "Identity"):
            maker = makers.get(maker.input[0])
        if maker is not None and maker.op_type == "ArgMax":
            values = need("onnx.numpy_helper", "onnx").to_array(weights[node.input[0]])
            plain = values.reshape(-1).tolist()
            yield tuple(v.decode() if isinstance(v, bytes) else v for v in plain)
