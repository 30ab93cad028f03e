"""ONNX files: graphs of known operators, which hold no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "ONNX"
SUFFIXES: tuple[str, ...] = (".onnx",)


def read(path: Path, permission: Permission) -> Any:  # noqa: ARG001 - needs none
    """Return the ``onnx.ModelProto`` of a file.

    Raises
    ------
    InvalidInput
        If the file is no ONNX model, or refers to other files, which could be any files of this
        machine.
    """
    onnx = need("onnx", "onnx")
    model = onnx.load_model_from_string(path.read_bytes())
    if not model.graph.node:
        raise InvalidInput("no ONNX model, or one without a single operator; export it again")
    if any(_is_external(part) for part in _parts(model)):
        raise InvalidInput(
            "keeps its weights in other files, which are not opened; "
            "save it with onnx.save(model, path, save_as_external_data=False)"
        )
    onnx.checker.check_model(model)
    return model


def _is_external(part: Any) -> bool:
    if part.DESCRIPTOR.name != "TensorProto":
        return False
    return bool(len(part.external_data)) or part.data_location == part.EXTERNAL


def _parts(message: Any) -> Iterator[Any]:
    """Yield a message and all messages inside it; protobuf limits their depth."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for field, value in part.ListFields():
            if field.message_type is not None:
                waiting += [value] if hasattr(value, "DESCRIPTOR") else list(value)
