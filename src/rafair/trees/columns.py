"""How the columns that trees and lines read depend on the features of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.models.conversion import NotConvertible, raw_columns
from rafair.models.conversion.registry import transform
from rafair.schema import Feature, Schema
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    import numpy.typing as npt

    from rafair.models.conversion.columns import Columns
    from rafair.models.inputs import Feed
    from rafair.models.queried import QueriedClassifier
    from rafair.trees.composition import Composition

__all__ = ["TreeColumns", "tree_columns"]


@dataclass(frozen=True, eq=False)
class TreeColumns:
    """The columns that trees read, each a function of one feature.

    Attributes
    ----------
    schema : Schema
    feed : Feed
    composition : Composition
    feature : array of int32, shape (columns,)
        The feature that each column depends on; −1 for a constant column.
    slope, offset : array of float64, shape (columns,)
        Of a column that is linear in its feature; the slope is NaN elsewhere.
    """

    schema: Schema
    feed: Feed
    composition: Composition
    feature: npt.NDArray[np.int32]
    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def numbers(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what the trees compare for unit-space rows (n, d), shape (n, columns)."""
        rows = _Transformed(self.feed(torch.from_numpy(x)))
        parts = [branch.numbers(rows.behind(branch.steps)) for branch in self.composition.branches]
        return np.concatenate(parts, axis=1)

    def rounds(self, place: int) -> bool:
        """Tell whether the model only ever sees possible values of a feature, which are listed."""
        feature = self.schema.features[place]
        is_rounded = self.feed.inputs == "frame" or bool(feature.columns)
        return is_rounded and self.feed.inputs != "unit"


class _Transformed:
    """Rows behind several sequences of steps, of which equal beginnings are computed once."""

    def __init__(self, rows: Any) -> None:
        self.known: dict[tuple[int, ...], Any] = {(): rows}

    def behind(self, steps: tuple[Any, ...]) -> Any:
        """Return the rows behind some steps."""
        key = tuple(map(id, steps))
        if key not in self.known:
            self.known[key] = steps[-1].transform(self.behind(steps[:-1]))
        return self.known[key]


def tree_columns(asked: QueriedClassifier, composition: Composition) -> TreeColumns:
    """Find out which feature each column depends on.

    Raises
    ------
    Unreadable
        If a column that a tree reads depends on several features, or is neither linear in its
        feature nor a function of listed values.
    """
    schema = asked.feed.schema or _unit_schema(asked.width)
    width = sum(len(branch.sources) for branch in composition.branches)
    feature = np.full(width, -1, np.int32)
    slope, offset = np.full(width, np.nan), np.full(width, np.nan)
    found = TreeColumns(schema, asked.feed, composition, feature, slope, offset)
    column = composition.table.column
    used, start = {*column[column >= 0].tolist(), *composition.lines.column.tolist()}, 0
    for branch in composition.branches:
        columns = _behind(raw_columns(schema, asked.feed), branch.steps)
        for at, place in enumerate(branch.sources, start):
            if at in used:
                feature[at] = _feature_of(columns, place)
                slope[at], offset[at] = _line(columns, place, int(feature[at]))
                _check(found, columns, at)
        start += len(branch.sources)
    return found


def _behind(columns: Columns, steps: tuple[Any, ...]) -> Columns:
    try:
        for step in steps:
            columns = transform(step, columns)
    except NotConvertible as reason:
        raise Unreadable(str(reason)) from reason
    return columns


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
