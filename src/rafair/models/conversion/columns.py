"""The columns between two steps of a pipeline, as functions of a row and as values on probes."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rafair.models.piecewise import Piecewise, possible_numbers
from rafair.models.queried import asked
from rafair.models.sparse import dense

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.models.inputs import Feed
    from rafair.schema import Schema

__all__ = ["Columns", "NotConvertible", "Rows", "numbers_of", "raw_columns"]

# A pandas or polars frame, or a matrix.
Rows: TypeAlias = Any


class NotConvertible(Exception):  # noqa: N818 - no user error: the model is used for its scores
    """A step cannot be converted, either in general or for the columns that it reads."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns between two steps of a pipeline.

    Probes are rows with which a step is tried. The first probe has the lowest value of every
    feature; each other probe differs from it in at most one countable feature. For each countable
    feature, the probes of its block run through its possible values. The outputs on the probes
    determine a step that treats its columns one by one.

    Attributes
    ----------
    piecewise : Piecewise
        The columns as functions of unit-space rows; NaN where they hold text.
    rows : pandas or polars frame, or ndarray, shape (probes, columns)
        The columns on the probes, as scikit-learn computes them.
    blocks : mapping of int to slice
        For the place of each countable feature, its probes in the order of its values.
    """

    piecewise: Piecewise
    rows: Rows
    blocks: Mapping[int, slice]

    def __len__(self) -> int:
        return len(self.piecewise)

    @property
    def names(self) -> list[str]:
        """Names of the columns, or their numbers if they have no names."""
        if hasattr(self.rows, "columns"):
            return list(self.rows.columns)
        return [str(place) for place in range(len(self))]

    def take(self, places: Sequence[int]) -> Columns:
        """Return the chosen columns, in the given order."""
        chosen = list(places)
        rows = (
            self.rows.iloc[:, chosen]
            if isinstance(self.rows, pd.DataFrame)
            else self.rows[:, chosen]
        )
        return Columns(self.piecewise.take(chosen), rows, self.blocks)

    def transformed(self, step: Any) -> Rows:
        """Return a fitted step's output on the probes, as a dense array or a frame.

        Raises
        ------
        InvalidInput
            If the step fails on the probes, which are possible rows of the data.
        """
        # A step with copy=False writes to its input.
        answer = asked(step.transform, copy.copy(self.rows))
        return dense(answer)

    def features_of(self, place: int) -> list[int]:
        """Return the countable features that a column depends on.

        Raises
        ------
        NotConvertible
            If the column depends on a feature that is not countable.
        """
        schema, weights = self.piecewise.schema, self.piecewise.weights[place]
        if bool(self.piecewise.has_terms[place]):
            raise NotConvertible(f"column {self.names[place]!r}, a product or function of others")
        for feature in range(len(schema.features)):
            if feature not in self.blocks and bool(weights[feature] != 0):
                raise NotConvertible(
                    f"column {self.names[place]!r}, whose possible values cannot be counted"
                )
        cells = np.asarray(self.take([place]).rows, dtype=object)[:, 0]
        return [
            feature
            for feature, block in self.blocks.items()
            if any(cell != cells[0] for cell in cells[block])
        ]

    def tabulated(self, answer: Rows) -> Piecewise:
        """Return columns that take the values of ``answer`` on the probes.

        The result is exact if each column is a function of one countable feature, or a sum of such
        functions.

        Parameters
        ----------
        answer : pandas or polars frame, or ndarray, shape (probes, columns)
            A step's output on the probes.
        """
        values = numbers_of(answer)
        schema = self.piecewise.schema
        whole = Piecewise.constant(schema, values[0].tolist())
        for feature, block in self.blocks.items():
            changes = values[block] - values[0]
            if bool((changes != 0).any()):
                part = Piecewise.table(schema, feature, changes)
                weights = whole.weights + part.weights
                whole = Piecewise(schema, weights, whole.offset + part.offset)
        return whole


def numbers_of(cells: Rows) -> Tensor:
    """Return cells as a float64 tensor of the same shape; NaN for text that is no number."""
    raw = np.asarray(cells)
    if raw.dtype.kind in "biuf":
        return torch.from_numpy(raw.astype(np.float64))
    flat = [_number(cell) for cell in raw.ravel()]
    return torch.tensor(flat, dtype=torch.float64).reshape(raw.shape)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def raw_columns(schema: Schema, feed: Feed) -> Columns:
    """Return the columns that the first step of a model reads."""
    x, blocks = _probes(schema)
    if feed.inputs == "unit":
        weights = torch.eye(
            len(schema.features),
            Piecewise.constant(schema, [0.0]).weights.shape[1],
            dtype=torch.float64,
        )
        piecewise = Piecewise(schema, weights, torch.zeros(len(weights), dtype=torch.float64))
    else:
        piecewise = Piecewise.originals(schema)
    if feed.inputs == "frame":
        piecewise = _with_levels(piecewise)
    if feed.columns:
        piecewise = piecewise.take([schema.columns.index(name) for name in feed.columns])
    return Columns(piecewise, feed(x), blocks)


def _probes(schema: Schema) -> tuple[Tensor, dict[int, slice]]:
    """Return the probes, unit-space rows (probes, d), and the block of each countable feature."""
    parts, blocks, start = [torch.zeros(1, len(schema.features), dtype=torch.float64)], {}, 1
    for place, feature in enumerate(schema.features):
        values = possible_numbers(feature)
        if values is None:
            continue
        rows = torch.zeros(len(values), len(schema.features), dtype=torch.float64)
        numbers = torch.tensor(values, dtype=torch.float64)
        rows[:, place] = (numbers - feature.low) / (feature.span or 1.0)
        parts.append(rows)
        blocks[place] = slice(start, start + len(values))
        start += len(values)
    return torch.cat(parts), blocks


def _with_levels(codes: Piecewise) -> Piecewise:
    """Replace codes by the levels that they stand for: a frame holds levels."""
    parts, start = [], 0
    for place, feature in enumerate(codes.schema.features):
        stop = start + len(feature.sources)
        if feature.has_levels and not feature.columns:
            gap = [float("nan")] * (len(feature.domain) - len(feature.levels))
            levels = numbers_of(np.array([*feature.levels, *gap], dtype=object)[:, None])
            parts.append(Piecewise.table(codes.schema, place, levels))
        else:
            parts.append(codes.take(range(start, stop)))
        start = stop
    return Piecewise.join(parts)
