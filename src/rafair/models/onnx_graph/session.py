"""A graph asked through onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.extras import need

if TYPE_CHECKING:
    from rafair.models.onnx_graph.answers import Answered, Entry

__all__ = ["OnnxSession", "session_of"]

# What goes wrong is raised, and need not be printed as well.
QUIET = 4


@dataclass(frozen=True, eq=False)
class OnnxSession:
    """A graph with one output, called with a matrix, or a frame with a column for each input.

    Attributes
    ----------
    serialised : bytes
        The model; the session itself is made when it is first asked, also after pickling.
    inputs : tuple of Entry
    by_column : bool
        Whether it reads a frame.
    """

    serialised: bytes
    inputs: tuple[Entry, ...]
    by_column: bool

    def __call__(self, rows: Any) -> Any:
        """Return the output for n rows."""
        if self.by_column:
            given = {entry.name: _column(rows[entry.name], entry) for entry in self.inputs}
        else:
            given = {self.inputs[0].name: np.asarray(rows, dtype=self.inputs[0].dtype)}
        return self.session.run(None, given)[0]

    @cached_property
    def session(self) -> Any:
        """The session; one thread, nothing printed.

        Raises
        ------
        InvalidInput
            If onnxruntime does not know an operation, or refuses the graph for another reason.
        """
        runtime = need("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        try:
            return runtime.InferenceSession(
                self.serialised, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # what onnxruntime raises has no common ancestor of its own
            reason = (str(error).splitlines() or [""])[0]
            raise InvalidInput(f"onnxruntime cannot load this ONNX model: {reason}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session out: it cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "session"}


def _column(values: Any, entry: Entry) -> Any:
    if entry.dtype == "object":
        found = values.astype(str).to_numpy(dtype=object)
    else:
        found = values.to_numpy().astype(entry.dtype)
    return found.reshape(-1, 1) if entry.rank == 2 else found


def session_of(
    model: Any, answer: Answered, inputs: tuple[Entry, ...], by_column: bool
) -> OnnxSession:
    """Return a copy of a model that computes one value, for any number of rows."""
    onnx = need("onnx", "onnx")
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    graph = copied.graph
    del graph.output[:]
    del graph.value_info[:]
    graph.output.append(onnx.helper.make_tensor_value_info(answer.name, answer.elem_type, None))
    for value in graph.input:
        sizes = value.type.tensor_type.shape.dim
        if value.name in {entry.name for entry in inputs} and len(sizes):
            # An export often keeps the batch size of its example.
            sizes[0].ClearField("dim_value")
            sizes[0].ClearField("dim_param")
    return OnnxSession(copied.SerializeToString(), inputs, by_column)
