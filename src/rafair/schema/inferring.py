"""``Schema.infer``: propose a schema for a table without a description, and list the doubts."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.errors import InvalidInput
from rafair.schema.fitting import MAX_LEVELS, Column, fit_feature, kind_of_column, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rafair.schema.feature import Feature, Level

__all__ = ["Inferred", "classes_of", "infer", "infer_features", "one_hot_groups"]

# Whole numbers with at most this many different values may be codes of categories.
FEW_VALUES = 10
# A text column with more different values than this share of the rows is an identifier.
IDENTIFIER = 0.5
# In a table with fewer rows, 0/1 columns may look like a one-hot group by chance.
ENOUGH_ROWS = 10
SEPARATOR = re.compile(r"[_=. ]")
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
) -> Inferred:
    """Propose the parts of a schema; see ``Schema.infer``."""
    if frame.empty:
        raise InvalidInput("the table has no row")
    classes = classes_of(frame, label, positive)
    features, doubts = infer_features(frame.drop(columns=label), label, sensitive, one_hot)
    return Inferred(features, classes, doubts)


def infer_features(
    features: pd.DataFrame,
    label: str,
    sensitive: tuple[str, ...],
    one_hot: Mapping[str, Sequence[str]] | None,
) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """Propose the features of a table without its label, and list the doubts."""
    groups = one_hot_groups(features) if one_hot is None else dict(one_hot)
    groups.pop(label, None)
    members = {name for columns in groups.values() for name in columns}
    singles = [name for name in features.columns if name not in members]
    _check_sensitive(sensitive, [*singles, *groups])
    doubts: list[str] = []
    found = [_single(features[name], name in sensitive, doubts) for name in singles]
    for name, columns in groups.items():
        column = Column(name, columns=tuple(columns), sensitive=name in sensitive)
        found.append(fit_feature(features, column))
        if one_hot is None:
            doubts.append(f"{name}: taken for one feature of the columns {', '.join(columns)}.")
    order = list(features.columns)
    usable = [feature for feature in found if feature is not None]
    usable.sort(key=lambda feature: order.index(feature.sources[0]))
    _check_left_in(sensitive, {feature.name for feature in usable}, doubts)
    return tuple(usable), tuple(doubts)


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
        why = [doubt for doubt in doubts if doubt.startswith(f"{lost[0]}: left out")]
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
        raise InvalidInput(f"label {label!r}, row {row}: the cell is empty (NaN)")
    classes = list(levels_of(frame[label]))
    if positive is not None:
        if positive not in classes:
            raise InvalidInput(f"label {label!r} never has the positive value {positive!r}")
        if len(classes) == 2:
            classes.sort(key=lambda level: level == positive)
    return tuple(classes)


def one_hot_groups(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return groups of 0/1 columns whose names begin alike and that have exactly one 1 in each row.

    Returns
    -------
    dict of str to tuple of str
        Common beginning of the names → columns, at least two.
    """
    if len(frame) < ENOUGH_ROWS:
        return {}
    binary = [name for name in frame.columns if isinstance(name, str) and _is_binary(frame[name])]
    taken: set[str] = set()
    groups: dict[str, tuple[str, ...]] = {}
    beginnings = {start: None for name in binary for start in _beginnings(name)}
    for start in sorted(beginnings, key=len):
        members = [name for name in binary if start in _beginnings(name) and name not in taken]
        hot = frame[members].astype(np.int64).sum(axis=1) if len(members) > 1 else None
        if hot is not None and (hot == 1).all() and start not in frame.columns:
            groups[start] = tuple(members)
            taken.update(members)
    return groups


def _is_binary(values: pd.Series) -> bool:
    if values.isna().any() or not pd.api.types.is_numeric_dtype(values):
        return False
    return set(values.unique().tolist()) <= {0, 1}


def _beginnings(name: str) -> Iterator[str]:
    return (name[: match.start()] for match in SEPARATOR.finditer(name) if match.start())


def _single(values: pd.Series, sensitive: bool, doubts: list[str]) -> Feature | None:
    """Describe one column without its empty cells; return None if it cannot be used."""
    name = values.name
    present = values.dropna()
    if n_missing := len(values) - len(present):
        doubts.append(
            f"{name}: {n_missing} of {len(values)} cells are empty; name a rule for them."
        )
    if present.empty:
        doubts.append(f"{name}: left out, every cell is empty.")
        return None
    if kind_of_column(present) == "categorical" and _names_rows(present):
        doubts.append(f"{name}: left out, nearly every row has a text of its own.")
        return None
    present = _as_whole(present) if n_missing else present
    try:
        feature = fit_feature(
            present.reset_index(drop=True).to_frame(),
            Column(name, unit=_unit(str(name), present), sensitive=sensitive),  # type: ignore[arg-type]
        )
    except InvalidInput as error:
        doubts.append(f"{name}: left out, {error}.")
        return None
    doubts += [f"{name}: {doubt}" for doubt in _doubts(feature, present)]
    return feature


def _names_rows(values: pd.Series) -> bool:
    try:
        different = values.nunique()
    except TypeError:  # lists and objects: fit_feature refuses them with a reason
        return False
    return bool(different > max(FEW_VALUES, IDENTIFIER * len(values)))


def _as_whole(values: pd.Series) -> pd.Series:
    """Turn whole floats back into integers: pandas stores integers with empty cells as floats."""
    if pd.api.types.is_float_dtype(values) and (values == values.round()).all():
        return values.astype(np.int64) if values.abs().max() < 2**53 else values
    return values


def _unit(name: str, values: pd.Series) -> str:
    if kind_of_column(values) == "categorical":
        return ""
    return next((unit for pattern, unit in UNITS if pattern.search(name)), "")


def _doubts(feature: Feature, values: pd.Series) -> Iterator[str]:
    different = values.nunique()
    if different == 1:
        yield "has the same value in every row."
    elif feature.kind == "integer" and 2 < different <= FEW_VALUES:
        yield (
            f"whole numbers with {different} different values; are they codes of categories "
            '(kind = "categorical") or an order ("ordinal")?'
        )
    elif feature.kind == "integer" and different == len(values) > FEW_VALUES:
        yield "every row has another whole number; is it an identifier? Then ignore it."
    elif feature.kind == "categorical" and _looks_numeric(values):
        yield "text that reads like numbers; a cell that is none makes the column text."
    elif feature.kind == "categorical" and different > MAX_LEVELS // 4:
        yield f"text with {different} levels; group them, or ignore it if it is an identifier."
    elif feature.kind == "categorical" and different > 2 and _looks_ordered(feature.domain):
        yield 'its levels look ordered; if they are, kind = "ordinal" and levels in their order.'


def _looks_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(values):
        return False
    return bool(pd.to_numeric(values, errors="coerce").notna().mean() > 0.9)


def _looks_ordered(levels: tuple[Level, ...]) -> bool:
    words = {"low", "medium", "high", "small", "large", "none", "some", "good", "bad", "poor"}
    text = [str(level).lower() for level in levels]
    with_digits = sum(any(map(str.isdigit, level)) for level in text)
    return with_digits > len(text) / 2 or len(words.intersection(itertools.chain(text))) >= 2
