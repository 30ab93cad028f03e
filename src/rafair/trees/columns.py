"""How the columns that trees read depend on the features of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.models.conversion import NotConvertible, is_from_sklearn, raw_columns
from rafair.models.conversion.registry import transform
from rafair.schema import Feature, Schema
from rafair.trees.table import Reading, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rafair.models.conversion.columns import Columns
    from rafair.models.inputs import Feed
    from rafair.models.queried import QueriedClassifier

__all__ = ["TreeColumns", "split_steps", "tree_columns"]

IDLE = ("passthrough", None)


@dataclass(frozen=True, eq=False)
class TreeColumns:
    """The columns that trees read, each a function of one feature.

    Attributes
    ----------
    schema : Schema
    feed : Feed
    steps : tuple
        The transformers between the rows of the feed and the trees.
    reading : Reading
    feature : array of int32, shape (columns,)
        The feature that each column depends on; −1 for a constant column.
    slope, offset : array of float64, shape (columns,)
        Of a column that is linear in its feature; the slope is NaN elsewhere.
    """

    schema: Schema
    feed: Feed
    steps: tuple[Any, ...]
    reading: Reading
    feature: npt.NDArray[np.int32]
    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def numbers(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what the trees compare for unit-space rows (n, d), shape (n, columns)."""
        rows = self.feed(torch.from_numpy(x))
        for step in self.steps:
            rows = step.transform(rows)
        return self.reading.numbers(rows)

    def rounds(self, place: int) -> bool:
        """Tell whether the model only ever sees possible values of a feature, which are listed."""
        feature = self.schema.features[place]
        is_rounded = self.feed.inputs == "frame" or bool(feature.columns)
        return is_rounded and self.feed.inputs != "unit"


def split_steps(model: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the transformers of a model, one after the other, and its classifier."""
    if is_from_sklearn(model) and hasattr(model, "best_estimator_"):
        return split_steps(model.best_estimator_)
    if is_from_sklearn(model) and hasattr(model, "steps"):
        *before, last = [step for _, step in model.steps if step not in IDLE]
        more, classifier = split_steps(last)
        return (*before, *more), classifier
    return (), model


def tree_columns(asked: QueriedClassifier, steps: Sequence[Any], reading: Reading) -> TreeColumns:
    """Find out which feature each column depends on.

    Raises
    ------
    Unreadable
        If a column that a tree reads depends on several features, or is neither linear in its
        feature nor a function of listed values.
    """
    schema = asked.feed.schema or _unit_schema(asked.width)
    columns = raw_columns(schema, asked.feed)
    try:
        for step in steps:
            columns = transform(step, columns)
    except NotConvertible as reason:
        raise Unreadable(str(reason)) from reason
    used = np.unique(reading.table.column[reading.table.column >= 0])
    shape = len(reading.sources)
    feature = np.full(shape, -1, np.int32)
    slope, offset = np.full(shape, np.nan), np.full(shape, np.nan)
    for column in used.tolist():
        place = reading.sources[column]
        feature[column] = _feature_of(columns, place)
        slope[column], offset[column] = _line(columns, place, int(feature[column]))
    found = TreeColumns(schema, asked.feed, tuple(steps), reading, feature, slope, offset)
    for column in used.tolist():
        _check(found, columns, column)
    return found


def _unit_schema(width: int) -> Schema:
    features = (Feature(f"x{place}", "numeric", (0.0, 1.0)) for place in range(width))
    return Schema(tuple(features), "label", (0, 1))


def _feature_of(columns: Columns, place: int) -> int:
    """Return the one feature that a column depends on; −1 if none."""
    weights, d = columns.piecewise.weights[place], len(columns.piecewise.schema.features)
    found = [
        feature
        for feature in range(d)
        if feature not in columns.blocks and bool(weights[feature] != 0)
    ]
    cells = np.asarray(columns.take([place]).rows, dtype=object)[:, 0]
    for feature, block in columns.blocks.items():
        if any(_differ(cell, cells[0]) for cell in cells[block]):
            found.append(feature)
    if len(found) > 1 or bool(columns.piecewise.has_terms[place]):
        raise Unreadable(f"column {columns.names[place]!r} depends on several features")
    return found[0] if found else -1


def _differ(one: Any, other: Any) -> bool:
    return bool(one != other) and not (one != one and other != other)


def _line(columns: Columns, place: int, feature: int) -> tuple[float, float]:
    """Return slope and offset of a column in unit space; NaN if it is no line."""
    weights = columns.piecewise.weights[place].clone()
    slope = float(weights[feature]) if feature >= 0 else 0.0
    weights[feature] = 0.0
    if bool((weights != 0).any()) or bool(weights.isnan().any()):
        return float("nan"), float("nan")
    return slope, float(columns.piecewise.offset[place])


def _check(found: TreeColumns, columns: Columns, column: int) -> None:
    """Refuse a column whose values between possible ones are unknown."""
    feature = int(found.feature[column])
    listed = feature in columns.blocks and found.rounds(feature)
    if feature >= 0 and not listed and not np.isfinite(found.slope[column]):
        name = found.schema.features[feature].name
        raise Unreadable(f"a column is no line in {name!r}, of which not all values are listed")
