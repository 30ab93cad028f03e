"""Makes a dataset from a table and a description of its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from rafair.datasets.dataset import Dataset, Split
from rafair.datasets.findings import findings
from rafair.datasets.missing import Fill, fill_missing, stay_empty
from rafair.datasets.splitting import TEST_SHARE, stratified_test_rows
from rafair.errors import InvalidInput
from rafair.schema import Column, Feature, Schema, fit_feature
from rafair.schema.doubts import told_of_kind
from rafair.schema.fitting import check_comparing
from rafair.schema.inferring import classes_of, kind_of_values
from rafair.schema.number_text import read_written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from rafair.schema import Level
    from rafair.schema.gaps import Missing

__all__ = [
    "Described",
    "Description",
    "Size",
    "make_dataset",
    "readable",
    "relations_met",
    "schema_and_notes",
    "schema_of",
    "split_table",
]

# A number in original units, or a text such as "5%", which is a share of the feature's range.
Size: TypeAlias = "float | str"
REFUSE = Fill()
PERCENT = re.compile(r"\s*([0-9.]+)\s*%\s*")


@dataclass(frozen=True)
class Described:
    """The description of one column.

    Attributes
    ----------
    column : Column
    fill : Fill
        What replaces empty cells.
    epsilon, step : Size, optional
        Radius of Δ and step size of the feature in the *feasible* setting.
    switch : bool
        Whether Δ lets a categorical feature take another level in the *feasible* setting.
    written : str, optional
        How numbers are written in a column of text; see ``rafair.schema.number_text.STYLES``.
    """

    column: Column
    fill: Fill = REFUSE
    epsilon: Size | None = None
    step: Size | None = None
    switch: bool = False
    written: str | None = None


@dataclass(frozen=True)
class Description:
    """The description of a table.

    Attributes
    ----------
    label : str
    positive, favourable : value of the label, optional
    columns : tuple of Described
    ignore : tuple of str
        Columns to leave out.
    relations : tuple of str
        Conditions on the columns; see ``rafair.schema.relations.parse_relation``.
    test_share, random_state : float, int
        Share of the rows in the test split, and the random state of the split.
    not_leaks : tuple of str
        Features that tell the label and are meant to; see ``rafair.datasets.leaks``.
    fills : dict of str to Fill
        Column → fill, from ``columns``.
    written : dict of str to str
        Column → how its numbers are written, from ``columns``.
    """

    label: str
    columns: tuple[Described, ...]
    positive: Level | None = None
    favourable: Level | None = None
    ignore: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    test_share: float = TEST_SHARE
    random_state: int = 0
    not_leaks: tuple[str, ...] = ()
    fills: dict[str, Fill] = field(init=False, repr=False)
    written: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fills = {described.column.name: described.fill for described in self.columns}
        written = {d.column.name: d.written for d in self.columns if d.written is not None}
        object.__setattr__(self, "fills", fills)
        object.__setattr__(self, "written", written)


def schema_of(frame: pd.DataFrame, description: Description) -> Schema:
    """Fit a schema to a complete table.

    Raises
    ------
    InvalidInput
        If the table is empty, a column does not exist or is not described, a column contradicts its
        description, or no feature is sensitive.
    """
    if frame.empty:
        raise InvalidInput("the table has no row")
    known = {name for d in description.columns for name in (d.column.columns or (d.column.name,))}
    strangers = set(frame.columns) - known - {description.label} - set(description.ignore)
    if strangers:
        name = next(name for name in frame.columns if name in strangers)
        raise InvalidInput(f"column {name!r} is not described; describe it, or add it to ignore")
    for name in description.ignore:
        if name not in frame.columns:
            raise InvalidInput(f"ignore names {name!r}, which is no column of the table")
        if name in known or name == description.label:
            raise InvalidInput(f"ignore names {name!r}, which is described as well; keep one")
    classes = classes_of(frame, description.label, description.positive)
    features = tuple(_feature(frame, described) for described in description.columns)
    if not any(feature.sensitive for feature in features):
        raise InvalidInput("no sensitive column; set sensitive = true for at least one")
    for described in description.columns:
        check_comparing(described.column, is_sensitive=described.column.sensitive)
    meant = description.favourable
    return Schema(features, description.label, classes, description.relations, favourable=meant)


def _feature(frame: pd.DataFrame, described: Described) -> Feature:
    feature = fit_feature(frame, described.column)
    if described.switch and feature.kind != "categorical":
        raise InvalidInput(f"column {feature.name!r}: switch is for categorical features")
    if described.switch and described.epsilon is not None:
        raise InvalidInput(
            f"column {feature.name!r} has epsilon, but where it may switch every level is in reach"
        )
    for name in ("epsilon", "step"):
        fixed = not (feature.movable or (described.switch and not feature.sensitive))
        if getattr(described, name) is not None and fixed:
            raise InvalidInput(
                f"column {feature.name!r} has {name}, but it is "
                f"{'sensitive' if feature.sensitive else 'not perturbable'}"
            )
    return replace(
        feature,
        epsilon=_share(feature, "epsilon", described.epsilon),
        step=_share(feature, "step", described.step),
        switch=described.switch,
    )


def _share(feature: Feature, what: str, size: Size | None) -> float | None:
    """Return a size as a share of the feature's range; a percentage is one of its bulk."""
    if size is None:
        return None
    if isinstance(size, str):
        match = PERCENT.fullmatch(size)
        if match is None or match.group(1).count(".") > 1 or match.group(1) == ".":
            raise InvalidInput(
                f"column {feature.name!r}: {what} {size!r} is neither a number in original units "
                'nor a share such as "5%"'
            )
        return float(match.group(1)) / 100 * feature.bulk_share
    if not np.isfinite(size) or size < 0:
        raise InvalidInput(
            f"column {feature.name!r}: {what} must be finite and not negative, not {size}"
        )
    return float(size) / feature.span if feature.span else 0.0


def _with_rule(described: Described, staying: Mapping[str, Missing]) -> Described:
    """Tell a column what its empty cells mean, if they stay empty."""
    rule = staying.get(described.column.name, "refuse")
    return replace(described, column=replace(described.column, missing=rule))


def _with_kind(frame: pd.DataFrame, described: Described) -> tuple[Described, str | None]:
    """Infer the kind of a column of which nothing else is said, and tell about it."""
    column = described.column
    own = (column.kind, column.levels, column.columns, column.bins, column.bulk, described.epsilon)
    if any(own) or column.range != (None, None) or described.step or column.name not in frame:
        return described, None
    kind = kind_of_values(frame[column.name])
    told = told_of_kind(kind, frame[column.name])
    if told is None:
        return described, None
    return replace(described, column=replace(column, kind=kind)), f"{column.name}: {told}"


def make_dataset(frame: pd.DataFrame, description: Description, name: str, kind: str) -> Dataset:
    """Fill the empty cells of a table, fit its schema and split it.

    Parameters
    ----------
    frame : DataFrame
    description : Description
    name : str
        Of the dataset.
    kind : str
        The library of the original table; see ``rafair.schema.kind_of``.

    Raises
    ------
    InvalidInput
        As ``read_written``, ``fill_missing``, ``schema_of`` and ``split_table``.
    """
    frame, staying, notes = readable(frame, description)
    schema, told = schema_and_notes(frame, description, staying)
    notes = (*notes, *told, *findings(schema, frame, description.not_leaks))
    return split_table(
        frame, schema, name, kind, description.test_share, description.random_state, notes
    )


def readable(
    frame: pd.DataFrame, description: Description
) -> tuple[pd.DataFrame, dict[str, Missing], tuple[str, ...]]:
    """Read numbers that are written as text, and apply the rules for empty cells.

    Returns
    -------
    DataFrame, dict of str to Missing, tuple of str
        The table, the rule of each column whose empty cells stay, and what was done.
    """
    frame = read_written(frame, description.written)
    staying = stay_empty(frame, description.fills)
    frame, notes = fill_missing(frame, description.fills)
    return frame, staying, notes


def schema_and_notes(
    frame: pd.DataFrame, description: Description, staying: Mapping[str, Missing]
) -> tuple[Schema, tuple[str, ...]]:
    """Fit a schema to a readable table, and say which kinds were inferred."""
    known = [_with_rule(each, staying) for each in description.columns]
    columns, told = zip(*(_with_kind(frame, each) for each in known), strict=True)
    return schema_of(frame, replace(description, columns=columns)), tuple(filter(None, told))


def split_table(
    frame: pd.DataFrame,
    schema: Schema,
    name: str,
    kind: str,
    test_share: float,
    random_state: int,
    notes: Sequence[str] = (),
) -> Dataset:
    """Split a complete table after leaving out the rows that break a relation.

    Raises
    ------
    InvalidInput
        If the table is empty, a column is missing, a value lies outside its domain, no row of a
        class is left, or a class has too few rows for two splits.
    """
    if frame.empty:
        raise InvalidInput("the table has no row")
    if schema.label not in frame.columns:
        raise InvalidInput(f"the table has no label column {schema.label!r}")
    met, lost = relations_met(frame, schema)
    frame = frame.iloc[np.flatnonzero(met)].reset_index(drop=True)
    gone = [level for level in schema.classes if not (frame[schema.label] == level).any()]
    if gone and lost:
        raise InvalidInput(f"{lost[0]} Nobody whose {schema.label} is {gone[0]!r} is left")
    test = stratified_test_rows(frame[schema.label], test_share, random_state)
    provenance = f"{len(frame)} rows; {test_share:.0%} of them, by label, form the test split."
    return Dataset(
        name,
        schema,
        Split.of(frame[~test], schema),
        Split.of(frame[test], schema),
        provenance,
        kind=kind,
        notes=(*notes, *lost),
    )


def relations_met(
    frame: pd.DataFrame, schema: Schema
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[str]]:
    """Tell which rows meet every relation, shape (n,), and say of each how many break it.

    Raises
    ------
    InvalidInput
        If a value lies outside its domain, or nobody meets the relations.
    """
    met = schema.conditions.each_met(schema.encode(frame)).numpy()
    lost = [
        f"{int((~holds).sum())} of {len(frame)} rows break the relation {text!r} and are left out."
        for text, holds in zip(schema.relations, met.T, strict=True)
        if not holds.all()
    ]
    whole: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.asarray(met.all(axis=1))
    if lost and not whole.any():
        raise InvalidInput(f"{lost[0]} Nobody is left: correct the relation")
    return whole, lost
