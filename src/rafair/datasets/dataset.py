"""A dataset: its schema, its two splits, and where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from rafair.schema import Schema, as_kind
from rafair.schema.frames import PANDAS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Dataset", "Split"]


@dataclass(frozen=True)
class Split:
    """One part of a dataset.

    Attributes
    ----------
    x : Tensor, shape (n, d), float64, unit space.
    y : Tensor of int64, shape (n,). Index into ``schema.classes``.
    frame : DataFrame, shape (n, columns + 1)
        The same rows in original units, label included.
    """

    x: Tensor
    y: Tensor
    frame: pd.DataFrame

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: Schema) -> Split:
        """Encode the rows of a frame; columns that the schema does not name are left out."""
        frame = frame.reset_index(drop=True)[[*schema.columns, schema.label]]
        return cls(schema.encode(frame), schema.encode_label(frame), frame)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Dataset:
    """A table ready for an audit.

    Attributes
    ----------
    name : str
        A benchmark's name, or the stem of the file the table came from.
    schema : Schema
    train, test : Split
    provenance : str
        One sentence: source, what was kept, how it was split.
    is_benchmark : bool
        Whether the table is one of those that the package carries.
    kind : str
        The library whose table it was: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.
    notes : tuple of str
        What was done to the rows before the split: cells filled, rows left out.
    """

    name: str
    schema: Schema
    train: Split
    test: Split
    provenance: str
    is_benchmark: bool = False
    kind: str = PANDAS
    notes: tuple[str, ...] = ()

    def with_sensitive(self, names: Iterable[str]) -> Dataset:
        """Return the same data with exactly these columns sensitive."""
        return replace(self, schema=self.schema.with_sensitive(names))

    def decode(self, x: Tensor, y: Tensor | None = None) -> Any:
        """Return people in original units, as a table of the kind that was read.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space
        y : Tensor of int64, shape (n,), optional. Adds the label column.
        """
        people = self.schema.decode(x, y)
        like = self.test.frame
        columns = {n: _typed(people[n], like[n]) for n in like.columns if n in people.columns}
        return as_kind(pd.DataFrame(columns), self.kind)

    def digest(self) -> str:
        """Return a SHA-256 over names, classes, values and labels, in hexadecimal."""
        sha = hashlib.sha256(repr((self.schema.names, self.schema.classes)).encode())
        for split in (self.train, self.test):
            sha.update(split.x.contiguous().numpy().tobytes())
            sha.update(split.y.contiguous().numpy().tobytes())
        return sha.hexdigest()


def _typed(values: pd.Series, like: pd.Series) -> pd.Series:
    """Return a column with the type of another one, where that changes no value."""
    try:
        typed = values.astype(like.dtype)
    except (TypeError, ValueError):
        return values
    return typed if typed.astype(object).equals(values.astype(object)) else values
