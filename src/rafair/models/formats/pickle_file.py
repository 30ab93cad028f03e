"""Pickle files: refused unless the user allows them, because loading one can run any code."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "pickle"
SUFFIXES: tuple[str, ...] = (".pkl", ".pickle", ".joblib", ".sav")
PLAIN = (".pkl", ".pickle")


def read(path: Path, permission: Permission) -> Any:
    """Return the object in a pickle.

    Raises
    ------
    InvalidInput
        If ``permission.unsafe_pickle`` is false.
    """
    if not permission.unsafe_pickle:
        raise InvalidInput(
            "unpickling runs whatever code the file holds, so it is not loaded; save the model as "
            ".skops or .onnx, or add --unsafe-pickle if you made the file yourself"
        )
    try:
        joblib = need("joblib", "sklearn")
    except InvalidInput:
        if path.suffix.lower() not in PLAIN:
            raise
        with path.open("rb") as file:
            return pickle.load(file)  # noqa: S301 - the user allowed it
    return joblib.load(path)
