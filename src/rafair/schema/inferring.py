"""``Schema.infer``: propose a schema for a table without a description, and list the doubts."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.bulk import bulk_of, told_of_bulk
from rafair.schema.cells import as_numbers, as_whole
from rafair.schema.doubts import doubts_about, read_as_numbers
from rafair.schema.fitting import (
    Column,
    check_comparing,
    fit_feature,
    kind_of_column,
    levels_of,
)
from rafair.schema.leaving_out import LEFT_OUT, NO_CELL, why_left_out
from rafair.schema.one_hot import one_hot_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.schema.feature import Feature, Kind, Level
    from rafair.schema.gaps import Missing

__all__ = [
    "Inferred",
    "classes_of",
    "infer",
    "infer_features",
    "kind_of_values",
    "whole_groups",
]

# Patterns of column names and the units they suggest; the first match counts.
UNITS = (
    (re.compile(r"(^|[_ ])age($|[_ ])|(^|[_ ])years?($|[_ ])", re.IGNORECASE), "years"),
    (re.compile(r"(^|[_ ])months?($|[_ ])", re.IGNORECASE), "months"),
    (re.compile(r"(^|[_ ])days?($|[_ ])", re.IGNORECASE), "days"),
    (re.compile(r"(^|[_ ])hours?($|[_ ])", re.IGNORECASE), "hours"),
    (re.compile(r"percent|pct|(^|[_ ])share($|[_ ])", re.IGNORECASE), "%"),
    (re.compile(r"(^|[_ ])usd($|[_ ])|dollars?", re.IGNORECASE), "USD"),
    (re.compile(r"(^|[_ ])eur($|[_ ])|euros?", re.IGNORECASE), "EUR"),
)


@dataclass(frozen=True)
class Inferred:
    """The parts of a ``Schema`` that were inferred from a table."""

    features: tuple[Feature, ...]
    classes: tuple[Level, ...]
    doubts: tuple[str, ...]


def infer(
    frame: pd.DataFrame,
    label: str,
    sensitive: tuple[str, ...],
    positive: Level | None,
    one_hot: Mapping[str, Sequence[str]] | None,
    columns: Sequence[Column] = (),
    *,
    refuse: bool = False,
    missing: Mapping[str, Missing] | None = None,
) -> Inferred:
    """Propose the parts of a schema; see ``Schema.infer``.

    Parameters
    ----------
    refuse : bool
        Whether a column with a cell that no feature may hold is an error. By default it is left
        out, and a doubt says why.
    missing : mapping of str to {"keep", "level"}, optional
        The columns whose empty cells mean something.
    """
    if frame.empty:
        raise InvalidInput("the table has no row")
    classes = classes_of(frame, label, positive)
    features, doubts = infer_features(
        frame.drop(columns=label),
        label,
        sensitive,
        one_hot,
        columns,
        refuse=refuse,
        missing=missing,
    )
    return Inferred(features, classes, doubts)


def infer_features(
    features: pd.DataFrame,
    label: str,
    sensitive: tuple[str, ...],
    one_hot: Mapping[str, Sequence[str]] | None,
    columns: Sequence[Column] = (),
    *,
    refuse: bool = False,
    missing: Mapping[str, Missing] | None = None,
) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """Propose the features of a table without its label, and list the doubts; see ``infer``."""
    said = {column.name: column for column in columns}
    groups, doubts = _groups(features, label, one_hot, said)
    _check_said(said, [*features.columns, *groups])
    wanted = [*sensitive, *(column.name for column in columns if column.sensitive)]
    chosen, told = whole_groups(wanted, groups)
    doubts += told
    members = {name for names in groups.values() for name in names}
    singles = [name for name in features.columns if name not in members]
    _check_sensitive(chosen, [*singles, *groups])
    for column in columns:
        check_comparing(column, is_sensitive=column.name in chosen)
    found: list[Feature | None] = []
    for name in singles:
        column = replace(said.get(name, Column(name)), sensitive=name in chosen)
        if missing and name in missing:
            column = replace(column, missing=missing[name])
        found.append(_single(features[name], column, name in said, doubts, refuse=refuse))
    for name, names in groups.items():
        column = said.get(name, Column(name, columns=tuple(names)))
        found.append(fit_feature(features, replace(column, sensitive=name in chosen)))
    order = list(features.columns)
    usable = [feature for feature in found if feature is not None]
    usable.sort(key=lambda feature: order.index(feature.sources[0]))
    _check_left_in(chosen, {feature.name for feature in usable}, doubts)
    return tuple(usable), tuple(doubts)


def _groups(
    features: pd.DataFrame,
    label: str,
    one_hot: Mapping[str, Sequence[str]] | None,
    said: Mapping[str, Column],
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the one-hot groups, given or found, and the doubts about those that were found."""
    given = {name: tuple(names) for name, names in (one_hot or {}).items()}
    given |= {name: column.columns for name, column in said.items() if column.columns}
    if one_hot is not None:
        return given, []
    fixed = {*said, *itertools.chain(*given.values())}
    free = features.drop(columns=[name for name in features.columns if name in fixed])
    found = one_hot_groups(free, {*features.columns, label, *given})
    doubts = [
        f"{name}: taken for one feature of the columns {', '.join(names)}."
        for name, names in found.sure.items()
    ]
    return {**given, **found.sure}, [*doubts, *found.doubts]


def whole_groups(
    sensitive: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], list[str]]:
    """Replace columns of one-hot groups by their groups, and say so.

    Returns
    -------
    tuple of str, list of str
        The sensitive features, and one sentence for each name that was replaced.
    """
    owner = {column: name for name, columns in groups.items() for column in columns}
    told = [
        f"{owner[name]}: sensitive as a whole, since its column {name} was named sensitive."
        for name in sensitive
        if name in owner and name not in groups
    ]
    chosen = (name if name in groups else owner.get(name, name) for name in sensitive)
    return tuple(dict.fromkeys(chosen)), told


def _check_said(said: Mapping[str, Column], known: Sequence[str]) -> None:
    for name in said:
        if name not in known:
            raise InvalidInput(f"a column {name!r} is described that the table does not have")


def _check_sensitive(sensitive: Sequence[str], known: Sequence[str]) -> None:
    for name in sensitive:
        if name not in known:
            raise InvalidInput(
                f"sensitive column {name!r} is not a feature of the table; "
                f"the features are {', '.join(map(str, known))}"
            )
    if not sensitive:
        raise InvalidInput("no sensitive column given; name at least one")


def _check_left_in(sensitive: Sequence[str], usable: set[str], doubts: Sequence[str]) -> None:
    lost = [name for name in sensitive if name not in usable]
    if lost:
        why = [doubt for doubt in doubts if doubt.startswith(f"{lost[0]}{LEFT_OUT}")]
        raise InvalidInput(f"sensitive column {lost[0]!r} cannot be used: {'; '.join(why)}")


def classes_of(frame: pd.DataFrame, label: str, positive: Level | None) -> tuple[Level, ...]:
    """Return the label's values; if there are two, the positive one comes last.

    Raises
    ------
    InvalidInput
        If the column does not exist, has an empty cell, never has the positive value, or has values
        that cannot be levels.
    """
    if label not in frame.columns:
        raise InvalidInput(f"the table has no label column {label!r}")
    if frame[label].isna().any():
        row = int(frame[label].isna().to_numpy().argmax())
        raise InvalidInput(
            f"label {label!r}, row {row}: the cell is empty (NaN); leave out the rows "
            "without a label"
        )
    classes = list(levels_of(frame[label]))
    if positive is not None:
        if positive not in classes:
            raise InvalidInput(f"label {label!r} never has the positive value {positive!r}")
        if len(classes) == 2:
            classes.sort(key=lambda level: level == positive)
    return tuple(classes)


def _single(
    values: pd.Series, column: Column, is_said: bool, doubts: list[str], *, refuse: bool
) -> Feature | None:
    """Describe one column without its empty cells; return None if it cannot be used."""
    name = column.name
    present = values.dropna().infer_objects()
    if present.empty:
        doubts.append(f"{name}{LEFT_OUT}{NO_CELL}")
        return None
    why = None if is_said else why_left_out(present)
    # One value tells something where others are missing.
    tells = column.sensitive or column.missing != "refuse"
    if why is not None and not (tells and present.nunique() == 1):
        doubts.append(f"{name}{LEFT_OUT}{read_as_numbers(present) or why}.")
        return None
    kind = column.kind or kind_of_values(present)
    whole = as_whole(present)
    unit = column.unit or _unit(name, present, kind)
    try:
        feature = fit_feature(
            whole.reset_index(drop=True).to_frame(), replace(column, kind=kind, unit=unit)
        )
    except InvalidInput as error:
        if refuse or is_said or column.missing != "refuse":
            raise
        doubts.append(f"{name}{LEFT_OUT}{error}.")
        return None
    n_missing = len(values) - len(present)
    if n_missing and column.missing == "refuse":
        doubts.append(
            f"{name}: {n_missing} of {len(values)} cells are empty; name a rule for them."
        )
    feature = _with_bulk(feature, whole)
    told = () if column.kind else doubts_about(feature, present)
    doubts += [f"{name}: {doubt}" for doubt in told]
    if about_bulk := told_of_bulk(feature, whole):
        doubts.append(about_bulk)
    return feature


def _with_bulk(feature: Feature, values: pd.Series) -> Feature:
    """Let ε rest on most of the values, where a few others lie far away and nothing was said."""
    if feature.has_levels or feature.sensitive or feature.bulk is not None:
        return feature
    found = bulk_of(as_numbers(values))
    if found is None:
        return feature
    ends = (
        (int(found.low), int(found.high)) if feature.kind == "integer" else (found.low, found.high)
    )
    return replace(feature, bulk=ends)


def kind_of_values(values: pd.Series) -> Kind:
    """Return the kind that a column's values suggest: 0 and 1 are a category, 3.0 is whole."""
    values = values.dropna().infer_objects()
    kind = kind_of_column(values)
    if kind == "categorical":
        return kind
    if set(values.unique().tolist()) == {0, 1}:
        return "categorical"
    return "integer" if pd.api.types.is_integer_dtype(as_whole(values)) else kind


def _unit(name: str, values: pd.Series, kind: Kind) -> str:
    if kind_of_column(values) == "categorical" or kind == "categorical":
        return ""
    return next((unit for pattern, unit in UNITS if pattern.search(name)), "")
