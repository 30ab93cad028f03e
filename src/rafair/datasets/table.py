"""Makes a dataset from any table, a file or a dataframe, and a few facts about its columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.datasets.described import Described, Description, make_dataset, split_table
from rafair.datasets.missing import Fill, fill_missing
from rafair.datasets.splitting import TEST_SHARE
from rafair.errors import InvalidInput, naming
from rafair.schema import Column, Schema, as_pandas, kind_of
from rafair.schema.frames import PANDAS
from rafair.schema.inferring import classes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.datasets.dataset import Dataset
    from rafair.schema import Level

__all__ = ["open_table", "read_table"]

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def read_table(
    table: Any,
    *,
    label: str | None = None,
    sensitive: Sequence[str] | None = None,
    positive: Level | None = None,
    schema: Schema | None = None,
    one_hot: Mapping[str, Sequence[str]] | None = None,
    missing: Mapping[str, str] | None = None,
    relations: Sequence[str] = (),
    name: str | None = None,
    test_share: float = TEST_SHARE,
    random_state: int = 0,
) -> Dataset:
    """Make a dataset from a file or a dataframe; kinds, ranges and levels come from the data.

    Parameters
    ----------
    table : path of a ``.csv`` or ``.parquet`` file, or a pandas, polars or pyarrow table
    label : str
        Column with the ground truth.
    sensitive : sequence of str
        Columns or one-hot groups that I(v) varies.
    positive : value of the label, optional
        The positive one of two classes (y = 1); by default the last in sorted order.
    schema : Schema, optional
        The meaning of the columns, for instance from ``Schema.infer``. It replaces ``label``,
        ``sensitive``, ``positive``, ``one_hot`` and ``relations``. Columns that the schema does not
        name are left out.
    one_hot : mapping of str to sequences of str, optional
        Feature → its 0/1 columns, which count as one feature.
    missing : mapping of str to {"median", "mean", "most_frequent"}, optional
        Column → rule that fills its empty cells; without a rule, an empty cell is an error.
    relations : sequence of str
        Conditions that every possible person meets, such as ``"age >= 18 + years_employed"``.
        Rows that break one are left out; ``notes`` of the result says how many.
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
    fills = {column: Fill(rule) for column, rule in (missing or {}).items()}  # type: ignore[arg-type]
    grouped = {column for columns in (one_hot or {}).values() for column in columns}
    for column in fills:
        if column not in frame.columns or column in grouped or column == label:
            raise InvalidInput(f"missing names {column!r}, which is no feature of one column")
    relations = (relations,) if isinstance(relations, str) else relations
    with naming(table):
        if schema is not None:
            if label or sensitive or positive is not None or one_hot or relations:
                raise InvalidInput("give a schema, or label, sensitive and their like; not both")
            frame, notes = fill_missing(frame, fills)
            return split_table(frame, schema, name or stem, kind, test_share, random_state, notes)
        if label is None:
            raise InvalidInput("no label given; name the column with the ground truth")
        description = Description(
            label,
            _columns(frame, label, list(sensitive or ()), fills, dict(one_hot or {})),
            positive,
            relations=tuple(relations),
            test_share=test_share,
            random_state=random_state,
        )
        classes_of(frame, label, positive)
        return make_dataset(frame, description, name or stem, kind)


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
        raise InvalidInput(f"{path}: not a readable {path.suffix[1:]} file ({reason})") from error
    if path.suffix.lower() == ".csv" and not isinstance(frame.index, pd.RangeIndex):
        # In such a file pandas uses the first cells as row names and shifts the other cells.
        raise InvalidInput(f"{path}: every row has more cells than the head has names")
    return frame.reset_index(drop=True)


def _columns(
    frame: pd.DataFrame,
    label: str,
    sensitive: list[str],
    fills: Mapping[str, Fill],
    groups: Mapping[str, Sequence[str]],
) -> tuple[Described, ...]:
    """Describe every feature; the data give its kind, range and levels."""
    members = {column: group for group, columns in groups.items() for column in columns}
    names = dict.fromkeys(
        members.get(name, name) for name in frame.columns if name != label or name in members
    )
    names |= dict.fromkeys(group for group in groups)
    for name in sensitive:
        if name not in names:
            raise InvalidInput(f"sensitive column {name!r} is not a feature of the table")
    if not sensitive:
        raise InvalidInput("no sensitive column given; name at least one")
    return tuple(
        Described(
            Column(name, sensitive=name in sensitive, columns=tuple(groups.get(name, ()))),
            fills.get(name, Fill()),
        )
        for name in names
    )
