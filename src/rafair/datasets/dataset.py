"""A dataset: its schema, its two splits, and its origin."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from rafair.display import as_html, count, listed
from rafair.errors import InvalidInput
from rafair.schema import Column, Schema, as_kind
from rafair.schema.fitting import check_comparing
from rafair.schema.frames import PANDAS
from rafair.schema.summary import features_table, in_a_line

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Dataset", "Split"]


@dataclass(frozen=True)
class Split:
    """One split of a dataset: train or test.

    Attributes
    ----------
    x : Tensor, shape (n, d), float64, unit space.
    y : Tensor of int64, shape (n,). Index into ``schema.classes``.
    frame : DataFrame, shape (n, columns + 1)
        The same rows in original units, label included.
    rows : Index, optional
        What the user's table calls these rows.
    """

    x: Tensor
    y: Tensor
    frame: pd.DataFrame
    rows: pd.Index | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: Schema) -> Split:
        """Encode the rows of a frame, without the columns that the schema does not name."""
        frame = frame.reset_index(drop=True)[[*schema.columns, schema.label]]
        return cls(schema.encode(frame), schema.encode_label(frame), frame)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split({count(len(self), 'row')}, {count(self.x.shape[1], 'feature')})"


@dataclass(frozen=True)
class Dataset:
    """A table ready for an audit.

    Attributes
    ----------
    name : str
        The benchmark's name, or by default the stem of the table's file, or ``"table"``.
    schema : Schema
    train, test : Split
    provenance : str
        Source of the rows and how they were split, in one or two sentences.
    is_benchmark : bool
        Whether the package contains the table.
    kind : str
        The library of the original table: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.
    notes : tuple of str
        Changes to the rows before the split: cells that were filled, rows that were left out.
    """

    name: str
    schema: Schema
    train: Split
    test: Split
    provenance: str
    is_benchmark: bool = False
    kind: str = PANDAS
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows = f"{len(self.train):,} rows to train, " if len(self.train) else ""
        rows += f"{count(len(self.test), 'row')} to test"
        columns = in_a_line(self.schema.features, self.schema.label, self.schema.classes)
        return f"Dataset({listed([self.name])}: {rows}, {columns})"

    def _repr_html_(self) -> str:
        return as_html(features_table(repr(self), self.schema.features), self.notes)

    def with_sensitive(self, names: Iterable[str]) -> Dataset:
        """Return the same data with exactly these features as the sensitive ones.

        A column of a one-hot group stands for the group; ``notes`` of the result says so.

        Raises
        ------
        InvalidInput
            If no name is given, or a name is no feature or one whose observed values are unknown.
        """
        features, told = self.schema.whole_groups(names)
        schema = self.schema.with_sensitive(features)
        return replace(self, schema=schema, notes=(*self.notes, *told))

    def with_within(self, within: Mapping[str, float]) -> Dataset:
        """Return the same data with only those counterparts whose numbers are near the person's.

        Parameters
        ----------
        within : mapping of str to float
            Sensitive number → largest distance of v' from v, in original units; {"age": 10}.

        Raises
        ------
        InvalidInput
            If a name is no feature, not sensitive or no number, or a distance is negative.
        """
        if not isinstance(within, Mapping):
            raise InvalidInput("within is for columns by name: within={'age': 10}")
        if not within:
            return self
        features = list(self.schema.features)
        for name, width in within.items():
            place = self.schema.index(name)
            check_comparing(Column(name, within=width), is_sensitive=features[place].sensitive)
            features[place] = replace(features[place], within=width)
        return replace(self, schema=replace(self.schema, features=tuple(features)))

    def decode(self, x: Tensor, y: Tensor | None = None) -> Any:
        """Return people in original units, as a table of the library that the data came from.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space
        y : Tensor of int64, shape (n,), optional. Adds the label column.

        Returns
        -------
        Table of the library ``kind``, with the columns of ``test.frame``

        Raises
        ------
        InvalidInput
            If x has another number of columns or holds NaN or infinity, or the library is not
            installed.
        """
        people = self.schema.decode(x, y)
        like = self.test.frame
        columns = {n: _typed(people[n], like[n]) for n in like.columns if n in people.columns}
        return as_kind(pd.DataFrame(columns), self.kind)

    def digest(self) -> str:
        """Return the SHA-256 of names, classes, values and labels, in hexadecimal."""
        sha = hashlib.sha256(repr((self.schema.names, self.schema.classes)).encode())
        for split in (self.train, self.test):
            sha.update(split.x.contiguous().numpy().tobytes())
            sha.update(split.y.contiguous().numpy().tobytes())
        return sha.hexdigest()


def _typed(values: pd.Series, like: pd.Series) -> pd.Series:
    """Return a column with the dtype of another one, unless the cast would change a value."""
    try:
        typed = values.astype(like.dtype)
    except (TypeError, ValueError):
        return values
    return typed if typed.astype(object).equals(values.astype(object)) else values
