"""What flows through a pipeline: columns as functions of a person, and probes of them."""

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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.models.inputs import Feed
    from rafair.schema import Schema

__all__ = ["Columns", "NotConvertible", "Rows", "numbers_of", "raw_columns"]

# A pandas or polars frame, or a matrix.
Rows: TypeAlias = Any


class NotConvertible(Exception):  # noqa: N818 - no error of the user's: the model is asked instead
    """A step reads something that it cannot be written down for."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns between two steps of a pipeline.

    Probes are people who differ from the first of them in one countable feature at most: each
    possible value of each such feature occurs once. A step that treats its columns one by one is
    known when its answers on them are.

    Attributes
    ----------
    piecewise : Piecewise
        The columns; NaN where they hold text.
    rows : pandas or polars frame, or ndarray, shape (probes, columns)
        What scikit-learn makes of the probes.
    blocks : mapping of int to slice
        Countable feature → its probes, in the order of its values.
    """

    piecewise: Piecewise
    rows: Rows
    blocks: Mapping[int, slice]

    def __len__(self) -> int:
        return len(self.piecewise)

    @property
    def names(self) -> list[str]:
        """Names of the columns; their numbers where they have none."""
        if hasattr(self.rows, "columns"):
            return list(self.rows.columns)
        return [str(place) for place in range(len(self))]

    def take(self, places: Sequence[int]) -> Columns:
        """Return some columns, in this order."""
        chosen = list(places)
        rows = (
            self.rows.iloc[:, chosen]
            if isinstance(self.rows, pd.DataFrame)
            else self.rows[:, chosen]
        )
        return Columns(self.piecewise.take(chosen), rows, self.blocks)

    def transformed(self, step: Any) -> Rows:
        """Return what a fitted step makes of the probes, dense.

        Raises
        ------
        InvalidInput
            If the step fails on them: people with these values are possible.
        """
        # A step with copy=False writes into what it is given.
        answer = asked(step.transform, copy.copy(self.rows))
        return answer.toarray() if hasattr(answer, "toarray") else answer

    def features_of(self, place: int) -> list[int]:
        """Return the countable features that a column depends on.

        Raises
        ------
        NotConvertible
            If it depends on one whose values cannot be counted.
        """
        schema, weights = self.piecewise.schema, self.piecewise.weights[place]
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

        Exact if each of them depends on one feature, or is a sum of such.

        Parameters
        ----------
        answer : pandas or polars frame, or ndarray, shape (probes, columns)
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
    """Return cells as float64 in their shape; NaN for text that is no number."""
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
    """Return the columns that a model reads, before its first step."""
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
    """Return unit-space rows (probes, d), and where each countable feature runs through."""
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
    """Put levels in the place of their codes: a frame holds levels."""
    parts, start = [], 0
    for place, feature in enumerate(codes.schema.features):
        stop = start + len(feature.sources)
        if feature.has_levels and not feature.columns:
            levels = numbers_of(np.array(feature.domain, dtype=object)[:, None])
            parts.append(Piecewise.table(codes.schema, place, levels))
        else:
            parts.append(codes.take(range(start, stop)))
        start = stop
    return Piecewise.join(parts)
