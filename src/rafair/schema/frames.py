"""Converts tables of several dataframe libraries to pandas, and back to the same library."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

from rafair.errors import InvalidInput

__all__ = ["PANDAS", "as_kind", "as_pandas", "kind_of"]

PANDAS = "pandas"


def _native(table: Any) -> nw.DataFrame[Any]:
    try:
        return nw.from_native(table, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        raise InvalidInput("the table has two columns of the same name; rename one") from error
    except TypeError as error:
        raise InvalidInput(
            f"cannot read a {type(table).__name__}; "
            "give a path or a pandas, polars or pyarrow table"
        ) from error


def as_pandas(table: Any) -> pd.DataFrame:
    """Return a pandas, polars or pyarrow table as a pandas frame with rows 0, 1, 2, ….

    Names of columns that are no text, such as numbers, become text.

    Raises
    ------
    InvalidInput
        If ``table`` is no table of these libraries, or two columns have the same name.
    """
    return _named(_native(table).to_pandas()).reset_index(drop=True)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns are named by text."""
    if all(isinstance(name, str) for name in frame.columns):
        return frame
    named = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if twice := sorted(named.columns[named.columns.duplicated()]):
        raise InvalidInput(f"the table has two columns of the same name {twice[0]!r}; rename one")
    return named


def kind_of(table: Any) -> str:
    """Return the library that a table belongs to: ``"pandas"``, ``"polars"``, ``"pyarrow"``, …."""
    return str(_native(table).implementation.value)


def as_kind(frame: pd.DataFrame, kind: str) -> Any:
    """Convert a pandas frame to a table of the library ``kind``, as named by ``kind_of``.

    Raises
    ------
    InvalidInput
        If that library is not installed.
    """
    if kind == PANDAS:
        return frame
    table = pa.Table.from_pandas(frame, preserve_index=False)
    try:
        native = nw.from_arrow(table, backend=nw.Implementation.from_string(kind))  # type: ignore[arg-type]
    except ImportError as error:
        raise InvalidInput(f"tables of {kind} need that library: pip install {kind}") from error
    return native.to_native()
