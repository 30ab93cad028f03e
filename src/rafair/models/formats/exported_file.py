"""Programs of ``torch.export``, read without unpickling and without running the file's code."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import torch

from rafair.errors import InvalidInput
from rafair.models.formats.exported_archive import harmless_archive

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "torch.export"
SUFFIXES: tuple[str, ...] = (".pt2",)
# A program with a smaller maximum number of rows is refused: batches can be large.
FEWEST_ROWS = 2**16


def read(path: Path, permission: Permission) -> torch.nn.Module:
    """Return the module of an exported program.

    Raises
    ------
    InvalidInput
        If torch would unpickle or evaluate anything in the archive, or the program was exported in
        training mode or does not read one matrix with any number of rows.
    """
    data = path.read_bytes() if permission.unsafe_pickle else harmless_archive(path)
    program = _load(data)
    _check_rows(program)
    for node in program.graph.nodes:
        _check_mode(node)
    module: torch.nn.Module = program.module()
    return module


def _load(data: bytes) -> torch.export.ExportedProgram:
    # torch logs a traceback to the standard error when it cannot read a file.
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return torch.export.load(io.BytesIO(data))
    finally:
        logger.setLevel(level)


def _check_rows(program: torch.export.ExportedProgram) -> None:
    signature = program.graph_signature
    inputs, outputs = signature.user_inputs, signature.user_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise InvalidInput(
            f"takes {len(inputs)} inputs and returns {len(outputs)} values; a model of tabular "
            "data takes one matrix and returns one"
        )
    value = next(n for n in program.graph.nodes if n.name == inputs[0]).meta.get("val")
    if not isinstance(value, torch.Tensor) or value.ndim != 2:
        raise InvalidInput("does not take a matrix of rows and columns; export it for such a one")
    rows: Any = value.shape[0]
    if isinstance(rows, torch.SymInt):
        bounds = program.range_constraints.get(rows.node.expr)
        if bounds is None or not bool(bounds.upper < FEWEST_ROWS):
            return
        rows = f"at most {bounds.upper}"
    raise InvalidInput(
        f"was exported for {rows} rows; export it for any number of them, with "
        "dynamic_shapes=({0: torch.export.Dim('rows')},)"
    )


def _check_mode(node: Any) -> None:
    """Refuse dropout and batch normalisation that were exported in training mode."""
    schema = getattr(node.target, "_schema", None)
    for place, argument in enumerate(getattr(schema, "arguments", ())):
        if argument.name not in ("train", "training"):
            continue
        value = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name)
        if value is True:
            raise InvalidInput("was exported in training mode; call model.eval(), export it again")
