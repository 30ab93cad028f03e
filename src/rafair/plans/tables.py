"""The tables of a plan: one that is split, or test rows with or without the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rafair.datasets.table import open_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Tables"]


@dataclass(frozen=True)
class Tables:
    """Paths of CSV or Parquet files.

    Attributes
    ----------
    test : Path
        The table with the test rows.
    train : Path, optional
        The rows that the model was trained on.
    split : bool
        Whether a part of ``test`` is for training; otherwise every row of it is test data.
    """

    test: Path
    train: Path | None = None
    split: bool = False

    def read(self) -> tuple[pd.DataFrame, pd.DataFrame | None, str, str]:
        """Return the test table, the training table, and the first one's name and library.

        Raises
        ------
        InvalidInput
            If a file cannot be read.
        """
        frame, name, kind = open_table(self.test)
        return frame, None if self.train is None else open_table(self.train)[0], name, kind
