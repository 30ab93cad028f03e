"""Makes a dataset from a test table that is described, with or without the training table."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.datasets.dataset import Dataset, Split
from rafair.datasets.described import readable, relations_met, schema_and_notes
from rafair.datasets.findings import findings
from rafair.datasets.held_out import UNREFERENCED, test_rows
from rafair.datasets.outside import told_of_outside
from rafair.errors import InvalidInput
from rafair.schema import Column, fit_feature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.datasets.described import Description
    from rafair.schema import Schema

__all__ = ["make_tested", "rows_together", "rows_told"]

ROW = re.compile(r"(?<=, )row (\d+)(?=: )")


def make_tested(
    test: pd.DataFrame,
    train: pd.DataFrame | None,
    description: Description,
    name: str,
    kind: str,
) -> Dataset:
    """Make a dataset of which every row of a table is test data, as ``rafair.read_test`` does.

    Parameters
    ----------
    test : DataFrame
        With the label.
    train : DataFrame, optional
        Rows that give ranges, levels and observed values too. With the label, they are the
        training split; without it, that split is empty.
    description : Description
    name, kind : see ``make_dataset``

    Raises
    ------
    InvalidInput
        As ``make_dataset``; also if the training table lacks a column.
    """
    if test.empty:
        raise InvalidInput("the table has no row")
    if description.label not in test.columns:
        raise InvalidInput(f"the table has no label column {description.label!r}")
    test, staying, notes = readable(test, description)
    whole, reference = test, None
    if train is not None:
        reference, more, _ = readable(train, description)
        staying |= more
        whole = rows_together(reference, test, description.label)
    with rows_told(reference):
        schema, told = schema_and_notes(whole, description, staying)
    split, lost = test_rows(test, test.index, schema)
    notes = (*notes, *told, *_grounds(schema, test, reference))
    notes = (*notes, *findings(schema, test, description.not_leaks), *lost)
    provenance = f"{len(test)} test rows, as they were given."
    return Dataset(
        name, schema, _training(reference, test, schema), split, provenance, kind=kind, notes=notes
    )


def _grounds(schema: Schema, test: pd.DataFrame, train: pd.DataFrame | None) -> list[str]:
    """Say what the domains rest on, and name the test rows that lie beyond the training rows."""
    if train is None:
        return [UNREFERENCED]
    seen = [
        fit_feature(train[[feature.name]].dropna(), Column(feature.name, feature.kind))
        for feature in schema.features
        if not feature.columns
    ]
    return told_of_outside(test, test.index, seen, "the training rows")


def rows_together(train: pd.DataFrame, test: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the rows of both tables, with the columns of the test table.

    A training table without the label adds no class.

    Raises
    ------
    InvalidInput
        If the training table lacks a column.
    """
    lost = [name for name in test.columns if name not in train.columns and name != label]
    if lost:
        raise InvalidInput(f"the training table lacks the column {lost[0]!r}")
    if label not in train.columns:
        train = train.assign(**{label: test[label].iloc[0]})
    return pd.concat([train[list(test.columns)], test], ignore_index=True)


@contextlib.contextmanager
def rows_told(train: pd.DataFrame | None) -> Iterator[None]:
    """Count the row that an error names in its own table, where two are read as one.

    Raises
    ------
    InvalidInput
    """
    first = 0 if train is None else len(train)

    def told(row: re.Match[str]) -> str:
        number = int(row[1])
        return f"training row {number}" if number < first else f"test row {number - first}"

    try:
        yield
    except InvalidInput as error:
        if not first:
            raise
        raise InvalidInput(ROW.sub(told, str(error))) from error


def _training(train: pd.DataFrame | None, test: pd.DataFrame, schema: Schema) -> Split:
    if train is None or schema.label not in train.columns:
        return Split.of(test.iloc[:0], schema)
    met, _ = relations_met(train, schema)
    return Split.of(train.iloc[np.flatnonzero(met)], schema)
