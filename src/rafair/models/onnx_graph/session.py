"""A graph that onnxruntime runs."""

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

# Log level at which onnxruntime prints only fatal errors; other errors are raised.
QUIET = 4


@dataclass(frozen=True, eq=False)
class OnnxSession:
    """A graph with one output, called with a matrix, or with a frame of one column per input.

    Attributes
    ----------
    serialised : bytes
        The serialised ``onnx.ModelProto``. The onnxruntime session is created on first use, and
        again after unpickling.
    inputs : tuple of Entry
    by_column : bool
        Whether the argument of a call is a frame.
    """

    serialised: bytes
    inputs: tuple[Entry, ...]
    by_column: bool

    def __call__(self, rows: Any) -> Any:
        """Return the graph's output for n rows: a matrix (n, columns) or a frame."""
        if self.by_column:
            given = {entry.name: _column(rows[entry.name], entry) for entry in self.inputs}
        else:
            given = {self.inputs[0].name: np.asarray(rows, dtype=self.inputs[0].dtype)}
        return self.session.run(None, given)[0]

    @cached_property
    def session(self) -> Any:
        """The onnxruntime session, which runs on one thread and prints only fatal errors.

        Raises
        ------
        InvalidInput
            If onnxruntime is missing or refuses the graph, for example for an unknown operation.
        """
        runtime = need("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        try:
            return runtime.InferenceSession(
                self.serialised, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            reason = (str(error).splitlines() or [""])[0]
            raise InvalidInput(f"onnxruntime cannot load this ONNX model: {reason}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the session, which cannot be pickled."""
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
    """Return a session that computes only the value ``answer``, for any number of rows."""
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
            # An exported graph often has the batch size of the example rows as a fixed size.
            sizes[0].ClearField("dim_value")
            sizes[0].ClearField("dim_param")
    return OnnxSession(copied.SerializeToString(), inputs, by_column)
