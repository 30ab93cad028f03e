"""Makes a dataset from any table, a file or a dataframe, and a few facts about its columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.checks import names_of
from rafair.datasets.described import split_table
from rafair.datasets.findings import findings
from rafair.datasets.missing import Fill, fill_missing, stay_empty
from rafair.datasets.splitting import TEST_SHARE
from rafair.errors import InvalidInput, naming
from rafair.schema import Schema, as_pandas, kind_of
from rafair.schema.frames import PANDAS
from rafair.schema.inferring import infer
from rafair.schema.number_text import read_written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from rafair.datasets.dataset import Dataset
    from rafair.schema import Column, Feature, Level

__all__ = ["open_table", "read_table", "without"]

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}
# Signs that some programs write between the cells of a .csv file, and their names.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def read_table(
    table: Any,
    *,
    label: str | None = None,
    sensitive: Sequence[str] | None = None,
    positive: Level | None = None,
    schema: Schema | None = None,
    one_hot: Mapping[str, Sequence[str]] | None = None,
    columns: Sequence[Column] = (),
    ignore: Sequence[str] = (),
    missing: Mapping[str, str] | str | None = None,
    empty: Mapping[str, Sequence[Level]] | None = None,
    written: Mapping[str, str] | None = None,
    relations: Sequence[str] = (),
    within: Mapping[str, float] | None = None,
    not_leaks: Sequence[str] = (),
    name: str | None = None,
    test_share: float = TEST_SHARE,
    random_state: int = 0,
) -> Dataset:
    """Make a dataset from a file or a dataframe; ``Schema.infer`` says what its columns are.

    ``notes`` of the result has a line for everything that was inferred.

    Parameters
    ----------
    table : path of a ``.csv`` or ``.parquet`` file, or a pandas, polars or pyarrow table
    label : str
        Column with the ground truth.
    sensitive : str or sequence of str
        Columns or one-hot groups that I(v) varies; a column of a group stands for the group.
    positive : value of the label, optional
        The positive one of two classes (y = 1); by default the last in sorted order.
    schema : Schema, optional
        The meaning of the columns, for instance from ``Schema.infer``. It replaces ``label``,
        ``sensitive``, ``positive``, ``one_hot``, ``columns``, ``ignore`` and ``relations``. Columns
        that the schema does not name are left out.
    one_hot : mapping of str to sequences of str, optional
        Feature → its 0/1 columns, which count as one feature; by default found from the values,
        and ``{}`` means none.
    columns : sequence of Column
        What is known about some columns; it replaces what would be inferred, and such a column
        is never left out.
    ignore : sequence of str
        Columns to leave out.
    missing : mapping of str to {"median", "mean", "most_frequent", "keep", "level"}, or one of \
            these, optional
        Column → rule for its empty cells, or one rule for every feature that has some: a value
        that fills them; *keep*, they stay empty, for a model that reads missing values itself;
        *level*, missing is a level of its own. Without a rule, an empty cell is an error.
    empty : mapping of str to sequences, optional
        Column → values that stand for an empty cell, such as 999.
    written : mapping of str to str, optional
        Column of text → how its numbers are written: ``"1,234.5"``, ``"1.234,5"``, ``"1 234,5"``,
        ``"1'234.5"`` or ``"1234.5"``, with or without a currency or a %.
    relations : sequence of str
        Conditions that every possible person meets, such as ``"age >= 18 + years_employed"``.
        Rows that break one are left out; ``notes`` of the result says how many.
    within : mapping of str to float, optional
        Sensitive number → largest distance of a counterpart's value from the person's own, in
        original units: ``{"age": 10}``.
    not_leaks : sequence of str
        Features that tell the label on nearly all rows and are meant to: no note says so.
    name : str, optional
        By default the file's stem, or ``"table"``.
    test_share : float
        Share of the rows in the test split, stratified by label.
    random_state : int
        Random state of the split.

    Returns
    -------
    Dataset
        Frames in original units and float64 tensors in unit space.

    Raises
    ------
    InvalidInput
        If the file cannot be read, the label or the sensitive columns are not given, a column does
        not exist, a cell is empty or infinite, a relation cannot be parsed, or the label has one
        class.
    """
    frame, stem, kind = open_table(table)
    relations = (relations,) if isinstance(relations, str) else tuple(relations)
    fills = _Fills(missing, dict(empty or {}))
    with naming(table):
        frame = read_written(frame, written or {})
        if schema is not None:
            if label or sensitive or positive is not None or relations or one_hot or columns:
                raise InvalidInput("give a schema, or label, sensitive and their like; not both")
            fills.check(frame, schema.label, one_hot)
            named = fills.named(schema.features)
            schema = schema.with_missing(stay_empty(frame, named))
            frame, notes = fill_missing(frame, named)
        else:
            if label is None:
                raise InvalidInput("no label given; name the column with the ground truth")
            label = str(label)
            fills.check(frame, label, one_hot)
            frame = without(frame, names_of(ignore), label)
            told = (label, names_of(sensitive), positive, one_hot, columns)
            staying = stay_empty(frame, fills.everywhere(frame, label))
            used = infer(frame, *told, refuse=True, missing=staying).features
            frame, notes = fill_missing(frame, fills.of(used))
            found = infer(frame, *told, refuse=True, missing=staying)
            schema = Schema(found.features, label, found.classes, relations, found.doubts)
            notes = (*notes, *found.doubts)
        notes = tuple(dict.fromkeys((*notes, *findings(schema, frame, not_leaks))))
        data = split_table(frame, schema, name or stem, kind, test_share, random_state, notes)
        return data.with_within(within or {})


@dataclass(frozen=True)
class _Fills:
    """The rules for empty cells: one for each column or one for all, and what counts as empty."""

    missing: Mapping[str, str] | str | None
    empty: Mapping[str, Sequence[Level]]

    def check(
        self, frame: pd.DataFrame, label: str, one_hot: Mapping[str, Sequence[str]] | None
    ) -> None:
        taken = {label, *(name for names in (one_hot or {}).values() for name in names)}
        rules = () if self.missing is None or isinstance(self.missing, str) else self.missing
        for what, names in (("missing", rules), ("empty", self.empty)):
            for name in names:
                if name not in frame.columns or name in taken:
                    raise InvalidInput(f"{what} names {name!r}, which is no feature of one column")

    def of(self, features: Sequence[Feature]) -> dict[str, Fill]:
        """Return the rule of every feature; ``refuse`` where none is named."""
        single = [feature for feature in features if not feature.columns]
        return {feature.name: self._fill(feature.name, feature.missing) for feature in single}

    def everywhere(self, frame: pd.DataFrame, label: str) -> dict[str, Fill]:
        """Return the rule of every column but the label."""
        return {name: self._fill(name) for name in frame.columns if name != label}

    def named(self, features: Sequence[Feature]) -> dict[str, Fill]:
        """Return the rules that were named."""
        fills = self.of(features)
        return {name: fill for name, fill in fills.items() if fill.rule != "refuse" or fill.codes}

    def _fill(self, name: str, known: str = "refuse") -> Fill:
        rules, codes = self.missing or {}, tuple(self.empty.get(name, ()))
        rule = rules if isinstance(rules, str) else rules.get(name, known)
        return Fill(rule, codes=codes)  # type: ignore[arg-type]  # Fill checks the rule


def without(frame: pd.DataFrame, ignore: Collection[str], label: str) -> pd.DataFrame:
    """Return a table without some columns.

    Raises
    ------
    InvalidInput
        If a name is no feature.
    """
    for name in ignore:
        if name not in frame.columns or name == label:
            raise InvalidInput(f"ignore names {name!r}, which is no feature of the table")
    return frame.drop(columns=list(ignore))


def open_table(table: Any) -> tuple[pd.DataFrame, str, str]:
    """Return a table as a pandas frame, its name, and the library that it belongs to.

    Raises
    ------
    InvalidInput
        If the table cannot be read.
    """
    if isinstance(table, str | Path):
        path = Path(table)
        return _read(path), path.stem, PANDAS
    return as_pandas(table), "table", kind_of(table)


def _of_other_signs(frame: pd.DataFrame) -> str:
    """Say that the head of a CSV file separates its names by another sign; empty if not."""
    head = str(frame.columns[0])
    found = next((name for sign, name in SEPARATORS.items() if sign in head), None)
    return "" if found is None else f"; its names are separated by {found}: save it with commas"


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in READERS:
        raise InvalidInput(f"{path}: unknown kind of table; use .csv or .parquet")
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    try:
        frame = READERS[path.suffix.lower()](path)
    except MemoryError:
        raise
    except Exception as error:  # parsers raise many types on a broken file
        reason = (str(error).splitlines() or [""])[0]
        hint = "; save it as UTF-8" if isinstance(error, UnicodeError) else ""
        raise InvalidInput(
            f"{path}: not a readable {path.suffix[1:]} file ({reason}){hint}"
        ) from error
    if path.suffix.lower() == ".csv" and not isinstance(frame.index, pd.RangeIndex):
        # In such a file pandas uses the first cells as row names and shifts the other cells.
        raise InvalidInput(
            f"{path}: every row has more cells than the head has names{_of_other_signs(frame)}"
        )
    if len(frame.columns) == 1 and (hint := _of_other_signs(frame)):
        raise InvalidInput(f"{path}: a single column{hint}")
    return frame.reset_index(drop=True)
