"""The description of a benchmark, and how its table is read from the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.datasets.dataset import Dataset, Split
from rafair.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Benchmark", "RawFile", "stratified_split"]

SPLIT = "split"
TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class RawFile:
    """A raw file inside a package on the Python package index, identified by its checksum."""

    package: str
    version: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Benchmark:
    """A dataset that the package contains, with everything that its data card says.

    Parameters
    ----------
    name, title : str
    label : str
        Name of the label column; ``classes`` are its values, with the positive one last.
    columns : sequence of Column
        The features in order; ``levels`` of a column have the documented order of its codes.
    raw : sequence of RawFile
        The files that ``clean`` reads, in the order of its arguments.
    clean : callable
        Takes the paths of the raw files and returns the complete table with a ``split`` column.
    source, licence, citation, split : str
        Texts for the data card; ``split`` says how the table was split.
    dropped : mapping
        Rows and columns that were left out → the reason.
    caveats : sequence of str
        Facts that a reader of results on these data should know.
    favourable : str, optional
        The class that people wish for, where the data are about that.
    """

    name: str
    title: str
    label: str
    classes: tuple[str, str]
    columns: Sequence[Column]
    raw: Sequence[RawFile]
    clean: Callable[..., pd.DataFrame]
    source: str
    licence: str
    citation: str
    split: str
    dropped: Mapping[str, str]
    caveats: Sequence[str] = ()
    favourable: str | None = None

    def path(self) -> Path:
        """Return the path of the embedded table."""
        return resources.files("rafair.datasets") / "data" / f"{self.name}.parquet"  # type: ignore[return-value]

    def load(self) -> Dataset:
        """Read the embedded table; its schema is fitted to both splits together."""
        frame = pd.read_parquet(self.path())
        fitted = Schema.fit(frame, self.columns, self.label, self.classes)
        schema = replace(fitted, setting="paper", favourable=self.favourable)
        train, test = (Split.of(frame[frame[SPLIT] == part], schema) for part in (TRAIN, TEST))
        provenance = f"{self.source} {self.split}"
        return Dataset(self.name, schema, train, test, provenance, is_benchmark=True)


def stratified_split(frame: pd.DataFrame, label: str) -> pd.DataFrame:
    """Add a ``split`` column that puts 30 % of each class in the test split.

    scikit-learn draws the split when the tables are built, and the tables store it: a change in
    this package's code must not change a published split.
    """
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(frame.index, test_size=0.3, stratify=frame[label], random_state=0)
    return frame.assign(**{SPLIT: np.where(frame.index.isin(test), TEST, TRAIN)})
