"""Any table: a file or a dataframe, with a few words about what its columns mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import pandas as pd

from rafair.datasets.dataset import Dataset, Split
from rafair.datasets.splitting import TEST_SHARE, stratified_test_rows
from rafair.errors import InvalidInput
from rafair.schema import Column, Schema, fit_schema, levels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.schema.feature import Level

__all__ = ["read_table"]

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def read_table(
    table: Any,
    *,
    label: str,
    sensitive: Sequence[str],
    positive: Level | None = None,
    name: str | None = None,
    test_share: float = TEST_SHARE,
    random_state: int = 0,
) -> Dataset:
    """Make a dataset of a file or a dataframe; kinds, ranges and levels are read from the data.

    Parameters
    ----------
    table : path of a ``.csv`` or ``.parquet`` file, or a pandas, polars or pyarrow table
    label : str
        Column with the ground truth.
    sensitive : sequence of str
        Columns that I(v) varies.
    positive : value of the label, optional
        The class of score 1; needed only with two classes. By default the last in sorted order.
    name : str, optional
        By default the file's stem, or ``"table"``.
    test_share : float
        Share of the rows in the test split, stratified by label.
    random_state : int
        Of that split.

    Raises
    ------
    InvalidInput
        If a column does not exist, a cell is empty or infinite, or the label has one class.
    """
    frame, stem = _frame(table)
    schema = _schema(frame, label, list(sensitive), positive)
    test = stratified_test_rows(frame[label], test_share, random_state)
    provenance = f"{len(frame)} rows; {test_share:.0%} of them, by label, form the test split."
    return Dataset(
        name or stem,
        schema,
        Split.of(frame[~test], schema),
        Split.of(frame[test], schema),
        provenance,
    )


def _frame(table: Any) -> tuple[pd.DataFrame, str]:
    if isinstance(table, str | Path):
        path = Path(table)
        return _read(path), path.stem
    try:
        native = nw.from_native(table, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        raise InvalidInput("the table has two columns of the same name; rename one") from error
    except TypeError as error:
        raise InvalidInput(
            f"cannot read a {type(table).__name__}; "
            "give a path or a pandas, polars or pyarrow table"
        ) from error
    frame: pd.DataFrame = native.to_pandas()
    return frame.reset_index(drop=True), "table"


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in READERS:
        raise InvalidInput(f"{path}: unknown kind of table; use .csv or .parquet")
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    try:
        return READERS[path.suffix.lower()](path)
    except (ValueError, OSError) as error:  # parser, decoder and Arrow errors are all ValueErrors
        reason = (str(error).splitlines() or [""])[0]
        raise InvalidInput(f"{path}: not a readable {path.suffix[1:]} file ({reason})") from error


def _schema(
    frame: pd.DataFrame, label: str, sensitive: list[str], positive: Level | None
) -> Schema:
    if label not in frame.columns:
        raise InvalidInput(f"the table has no label column {label!r}")
    for name in sensitive:
        if name not in frame.columns or name == label:
            raise InvalidInput(f"sensitive column {name!r} is not a feature of the table")
    if not sensitive:
        raise InvalidInput("no sensitive column given; name at least one")
    if frame[label].isna().any():
        row = int(frame[label].isna().to_numpy().argmax())
        raise InvalidInput(f"label {label!r}, row {row}: the cell is empty (NaN)")
    classes = list(levels_of(frame[label]))
    if positive is not None:
        if positive not in classes:
            raise InvalidInput(f"label {label!r} never has the positive value {positive!r}")
        if len(classes) == 2:
            classes.sort(key=lambda level: level == positive)
    columns = [Column(name, sensitive=name in sensitive) for name in frame.columns if name != label]
    return fit_schema(frame, columns, label, tuple(classes))
