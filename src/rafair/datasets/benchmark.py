"""How a benchmark describes itself, and how it is read from the package."""

from __future__ import annotations

from dataclasses import dataclass
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
    """A raw file inside a package of the Python package index, known by its checksum."""

    package: str
    version: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Benchmark:
    """A dataset that the package carries, with all that its data card says.

    Parameters
    ----------
    name, title : str
    label : str
        Name of the label column; ``classes`` are its values, the positive one last.
    columns : sequence of Column
        The features in order; a level list gives the documented order of the codes.
    raw : sequence of RawFile
        What ``clean`` reads, in the order of its arguments.
    clean : callable
        From the paths of the raw files to the complete table with a ``split`` column.
    source, licence, citation, split : str
    dropped : mapping
        What was left out → why.
    caveats : sequence of str
        What a reader of results on these data should know.
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

    def path(self) -> Path:
        """Return where the embedded table lies."""
        return resources.files("rafair.datasets") / "data" / f"{self.name}.parquet"  # type: ignore[return-value]

    def load(self) -> Dataset:
        """Read the embedded table; its schema spans both splits."""
        frame = pd.read_parquet(self.path())
        schema = Schema.fit(frame, self.columns, self.label, self.classes)
        train, test = (Split.of(frame[frame[SPLIT] == part], schema) for part in (TRAIN, TEST))
        provenance = f"{self.source} {self.split}"
        return Dataset(self.name, schema, train, test, provenance, is_benchmark=True)


def stratified_split(frame: pd.DataFrame, label: str) -> pd.DataFrame:
    """Add a ``split`` column with 30 % of each class in the test part.

    Drawn by scikit-learn when the tables are built and stored with them: a published split must not
    move with this package's own code.
    """
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(frame.index, test_size=0.3, stratify=frame[label], random_state=0)
    return frame.assign(**{SPLIT: np.where(frame.index.isin(test), TEST, TRAIN)})
