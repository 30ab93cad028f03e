"""Makes a dataset of which every given row is test data: ``rafair.read_test``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.checks import names_of
from rafair.datasets.dataset import Dataset, Split
from rafair.datasets.described import relations_met
from rafair.datasets.findings import findings
from rafair.datasets.missing import Fill, fill_missing, stay_empty
from rafair.datasets.outside import told_of_outside, widened
from rafair.datasets.table import without
from rafair.datasets.unread import told_of_unread, unread_rows
from rafair.errors import InvalidInput
from rafair.schema import Schema, as_kind, as_pandas, kind_of
from rafair.schema.cells import shown
from rafair.schema.frames import PANDAS
from rafair.schema.inferring import classes_of, infer_features
from rafair.schema.number_text import read_written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.schema import Column, Feature, Level
    from rafair.schema.gaps import Missing

__all__ = ["UNREFERENCED", "read_test", "test_rows"]

LABEL = "label"
UNREFERENCED = (
    "Ranges and levels come from the test rows alone; pass the training rows as reference for "
    "those that the model may meet."
)


def read_test(
    x: Any,
    y: Any,
    *,
    sensitive: Sequence[str] | None = None,
    schema: Schema | None = None,
    reference: Any = None,
    feature_names: Sequence[str] | None = None,
    positive: Level | None = None,
    classes: Sequence[Level] | None = None,
    one_hot: Mapping[str, Sequence[str]] | None = None,
    columns: Sequence[Column] = (),
    ignore: Sequence[str] = (),
    not_leaks: Sequence[str] = (),
    missing: str | Mapping[str, str] | None = None,
    empty: Mapping[str, Sequence[Level]] | None = None,
    written: Mapping[str, str] | None = None,
    relations: Sequence[str] = (),
    within: Mapping[str, float] | None = None,
    name: str = "table",
    reads: Callable[[Any], str | None] | None = None,
) -> Dataset:
    """Make a dataset from test people and their labels; every row is test data, none is split off.

    Parameters
    ----------
    x : pandas, polars, pyarrow or other table that narwhals reads, or array, shape (n, d)
        The test people, in original units. An array needs ``feature_names``.
    y : sequence, array, tensor or column, shape (n,)
        Their true labels. If x and y have an index, it must be the same.
    sensitive : sequence of str
        Columns or one-hot groups that I(v) varies.
    schema : Schema, optional
        The meaning of the columns; it replaces ``sensitive``, ``reference``, ``positive``,
        ``classes``, ``one_hot`` and ``relations``. A row beyond its domains widens them; a note
        names it.
    reference : table or array, optional
        Rows from which ranges, levels and observed values are taken too, for instance those that
        the model was trained on. Without it the test rows give them alone, and a note says so. A
        test row beyond the reference widens the domain; a note names it.
    feature_names : sequence of str, optional
        Names of an array's columns.
    positive : value of the label, optional
        The positive one of two classes (y = 1); by default the last in sorted order.
    classes : sequence, optional
        The classes that the model knows, where y may lack one of them.
    missing : {"median", "mean", "most_frequent", "keep", "level"} or mapping of str to them, \
            optional
        The rule for empty cells, of all columns or by column; see ``read_table``. Without a rule,
        an empty cell is an error.
    empty, written, one_hot, columns, ignore, not_leaks, relations, within : see ``read_table``.
        The model reads what ``empty`` and ``written`` make of the cells.
    name : str
    reads : callable, optional
        Takes some rows, as a table of x's kind, and returns why a model cannot read them; None if
        it can. Single rows that it cannot read are left out, and a note names them with the reason.

    Returns
    -------
    Dataset
        With an empty training split. ``test.rows`` keeps the index of x.

    Raises
    ------
    InvalidInput
        If x is no table, y has another length, a name is unknown, or a cell cannot be used.
    """
    frame, rows, kind = _table(x, feature_names, "x")
    labels = _labels(y, rows)
    if len(labels) != len(frame):
        raise InvalidInput(f"x has {len(frame)} rows and y {len(labels)} labels")
    if frame.empty:
        raise InvalidInput("the table has no row")
    frame = read_written(without(frame, names_of(ignore), LABEL), written or {})
    fills = _fills(missing, empty or {}, frame, schema)
    staying = stay_empty(frame, fills)
    frame, notes = fill_missing(frame, fills)
    n, unread = len(frame), _unread(x, frame, kind, reads)
    if unread:
        names = pd.RangeIndex(n) if rows is None else rows
        notes = (*notes, told_of_unread(unread, names))
        left = np.setdiff1d(np.arange(n), list(unread))
        rows, frame = names[left], frame.iloc[left].reset_index(drop=True)
        labels = labels.iloc[left].reset_index(drop=True)
    is_inferred = schema is None
    if schema is None:
        known = None if reference is None else _reference(reference, feature_names, frame)
        if known is not None:
            known = read_written(known, written or {})
            staying |= stay_empty(known, fills)
            known, _ = fill_missing(known, fills)
        label = _free_name(labels.name, frame)
        told = (label, names_of(sensitive), one_hot, columns)
        features, doubts, inside = _inferred(frame, known, told, staying)
        known_classes = _classes(labels.rename(label), classes, positive)
        schema = Schema(features, label, known_classes, names_of(relations))
        notes = (*notes, *doubts, *_grounds(frame, rows, inside))
    elif any((sensitive, one_hot, relations, columns, positive is not None, reference is not None)):
        raise InvalidInput("give a schema, or sensitive, reference and their like; not both")
    else:
        schema = schema.with_missing(staying)
        notes = (*notes, *told_of_outside(frame, rows, schema.features, "the schema"))
        schema = widened(schema, frame)
    whole = frame.assign(**{schema.label: labels.to_numpy()})
    found = findings(schema, whole, names_of(not_leaks), is_inferred=is_inferred)
    notes = tuple(dict.fromkeys((*notes, *found)))
    test, lost = test_rows(whole, rows, schema)
    training = Split.of(whole.iloc[:0], schema)
    provenance = f"{len(whole)} test rows, as they were given."
    data = Dataset(name, schema, training, test, provenance, kind=kind, notes=(*notes, *lost))
    return data.with_within(within or {})


def _fills(
    missing: str | Mapping[str, str] | None,
    empty: Mapping[str, Sequence[Level]],
    frame: pd.DataFrame,
    schema: Schema | None,
) -> dict[str, Fill]:
    """Return the rule of every column; the one without a rule is refused if it has empty cells."""
    named = () if missing is None or isinstance(missing, str) else missing
    for what, names in (("missing", named), ("empty", empty)):
        for column in names:
            if column not in frame.columns:
                raise InvalidInput(f"{what} names {column!r}, which is no column of the table")
    rules: Mapping[str, str] = dict.fromkeys(frame.columns, "refuse")
    if isinstance(missing, str):
        rules = dict.fromkeys(frame.columns, missing)
    else:
        known = {} if schema is None else {f.name: f.missing for f in schema.features}
        rules = {**rules, **known, **(missing or {})}
    return {
        column: Fill(rules[column], codes=tuple(empty.get(column, ())))  # type: ignore[arg-type]
        for column in frame.columns
    }


def _table(
    x: Any, feature_names: Sequence[str] | None, what: str
) -> tuple[pd.DataFrame, pd.Index | None, str]:
    """Return a table as a pandas frame with rows 0, 1, 2, …, the index it had, and its library."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    if isinstance(x, np.ndarray):
        if x.ndim != 2:
            raise InvalidInput(f"{what} has shape {x.shape}; give one row per person")
        if feature_names is None or len(feature_names) != x.shape[1]:
            raise InvalidInput(
                f"{what} is an array of {x.shape[1]} columns without names; pass as many names in "
                "feature_names"
            )
        return pd.DataFrame(x, columns=list(feature_names)), None, PANDAS
    rows = x.index if isinstance(x, pd.DataFrame) else None
    return as_pandas(x), rows, kind_of(x)


def _labels(y: Any, rows: pd.Index | None) -> pd.Series:
    """Return the labels as a column with rows 0, 1, 2, …."""
    if y is None:
        raise InvalidInput("x comes without its true labels; pass them as y")
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    elif isinstance(y, pd.Series) and rows is not None and not y.index.equals(rows):
        raise InvalidInput("x and y have different indexes; give the labels of the same rows")
    name = getattr(y, "name", None)
    column = pd.Series(y.to_pandas() if hasattr(y, "to_pandas") else np.asarray(y).ravel())
    return column.reset_index(drop=True).rename(name if isinstance(name, str) and name else LABEL)


def _free_name(label: Any, frame: pd.DataFrame) -> str:
    while label in frame.columns:
        label = f"{label}_"
    return str(label)


def _reference(
    reference: Any,
    feature_names: Sequence[str] | None,
    frame: pd.DataFrame,
) -> pd.DataFrame:
    """Return the reference with the columns of the test rows."""
    found, *_ = _table(reference, feature_names, "reference")
    lost = [column for column in frame.columns if column not in found.columns]
    if lost:
        raise InvalidInput(f"the reference lacks the column {lost[0]!r}")
    return found[list(frame.columns)]


def _inferred(
    frame: pd.DataFrame,
    reference: pd.DataFrame | None,
    told: tuple[Any, ...],
    missing: Mapping[str, Missing],
) -> tuple[tuple[Feature, ...], tuple[str, ...], tuple[Feature, ...] | None]:
    """Infer the features of all rows that are known, with doubts, and those of the reference."""
    if reference is None:
        return *infer_features(frame, *told, missing=missing), None
    whole = pd.concat([reference, frame], ignore_index=True)
    inside, _ = infer_features(reference, *told, missing=missing)
    return *infer_features(whole, *told, missing=missing), inside


def _grounds(
    frame: pd.DataFrame, rows: pd.Index | None, inside: Sequence[Feature] | None
) -> list[str]:
    """Say what the domains rest on, and name rows that lie outside the reference's."""
    if inside is None:
        return [UNREFERENCED]
    return told_of_outside(frame, rows, inside, "the reference")


def _unread(
    x: Any, frame: pd.DataFrame, kind: str, reads: Callable[[Any], str | None] | None
) -> dict[int, str]:
    """Return the rows that a model cannot read, with the reason of each.

    Rows with cells that stay empty are passed over: a rule says that the model reads them.
    """
    if reads is None:
        return {}
    whole = np.flatnonzero(frame.notna().all(axis=1))

    def refused(rows: Sequence[int]) -> str | None:
        some = frame.iloc[whole[list(rows)]]
        return reads(as_kind(some, kind) if hasattr(x, "columns") else some.to_numpy())

    return {int(whole[row]): why for row, why in unread_rows(len(whole), refused).items()}


def _classes(
    labels: pd.Series, classes: Sequence[Level] | None, positive: Level | None
) -> tuple[Level, ...]:
    """Return the classes in order: those that the model knows, or those of the labels."""
    if classes is None:
        return classes_of(labels.to_frame(), str(labels.name), positive)
    known = [value.item() if isinstance(value, np.generic) else value for value in classes]
    strange = labels[~labels.isin(known)]
    if len(strange):
        raise InvalidInput(
            f"y, row {strange.index[0]}: {shown(strange.iloc[0])} is no class that the model knows "
            f"({', '.join(map(shown, known))})"
        )
    if positive is not None and len(known) == 2:
        known.sort(key=lambda level: level == positive)
    return tuple(known)


def test_rows(
    frame: pd.DataFrame, rows: pd.Index | None, schema: Schema
) -> tuple[Split, list[str]]:
    """Leave out the rows that break a relation; the others are the test split."""
    met, lost = relations_met(frame, schema)
    kept = np.flatnonzero(met)
    split = Split.of(frame.iloc[kept], schema)
    return replace(split, rows=None if rows is None else rows[kept]), lost
