"""The columns that a model reads, as piecewise linear functions of unit-space rows.

A one-hot column, an ordinal code or a scaled number is a function of one feature whose value is
known at each possible value of that feature. Between two neighbouring possible values the function
is taken to be linear. Linear combinations of these functions can be computed by one ReLU layer,
which is exact at every possible value and differentiable between them, and for which certificates
can be computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.models.chain import linear_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema import Feature, Schema

__all__ = ["Piecewise", "possible_numbers"]

# The values of a feature with more possible values than this are not listed.
MAX_VALUES = 1_000


def possible_numbers(feature: Feature) -> list[float] | None:
    """Return all possible values of a feature, codes or numbers; None if there are too many."""
    if feature.has_levels:
        return [float(code) for code in range(len(feature.domain))]
    if not feature.spacing or feature.spacing * MAX_VALUES < 1:
        return None
    count = round(1 / feature.spacing) if feature.span else 0
    places = 0 if feature.kind == "integer" else feature.decimals or 0
    return [round(feature.low + step * 10.0**-places, places) for step in range(count + 1)]


@dataclass(frozen=True, eq=False)
class Piecewise:
    """Columns computed from unit-space rows: weights · basis(x) + offset.

    The basis consists of the d numbers of x and of max(0, c − j) for each countable feature and
    each j = 1, …, m − 2. A feature is countable if ``possible_numbers`` lists its values; m is
    their number, and c is the place of the feature's value in their order, 0 to m − 1.

    Attributes
    ----------
    schema : Schema
    weights : Tensor, shape (columns, basis), float64
    offset : Tensor, shape (columns,), float64
    """

    schema: Schema
    weights: Tensor
    offset: Tensor

    @classmethod
    def constant(cls, schema: Schema, values: Sequence[float]) -> Piecewise:
        """Return columns whose values do not depend on the row."""
        offset = torch.tensor(list(values), dtype=torch.float64)
        return cls(schema, torch.zeros(len(offset), _width(schema), dtype=torch.float64), offset)

    @classmethod
    def numbers(cls, schema: Schema, place: int) -> Piecewise:
        """Return one column: a feature's value in original units, or its code."""
        feature = schema.features[place]
        weights = torch.zeros(1, _width(schema), dtype=torch.float64)
        weights[0, place] = feature.span
        return cls(schema, weights, torch.tensor([feature.low], dtype=torch.float64))

    @classmethod
    def table(cls, schema: Schema, place: int, values: Tensor) -> Piecewise:
        """Return columns that take the given values at the possible values of one feature.

        Parameters
        ----------
        values : Tensor, shape (possible values, columns), float64
        """
        values = values.to(torch.float64)
        weights = torch.zeros(values.shape[1], _width(schema), dtype=torch.float64)
        if len(values) > 1:
            slopes = values[1:] - values[:-1]
            weights[:, place] = slopes[0] * (len(values) - 1)
            knots = _knots(schema, place)
            weights[:, knots] = (slopes[1:] - slopes[:-1]).T
        return cls(schema, weights, values[0].clone())

    @classmethod
    def originals(cls, schema: Schema) -> Piecewise:
        """Return the columns of a table in original units, with codes for levels."""
        parts = []
        for place, feature in enumerate(schema.features):
            if not feature.columns:
                parts.append(cls.numbers(schema, place))
                continue
            hot = torch.eye(len(feature.domain), dtype=torch.float64)
            parts.append(cls.table(schema, place, hot[:, -len(feature.columns) :]))
        return cls.join(parts)

    @classmethod
    def join(cls, parts: Sequence[Piecewise]) -> Piecewise:
        """Put columns side by side."""
        weights = torch.cat([part.weights for part in parts])
        return cls(parts[0].schema, weights, torch.cat([part.offset for part in parts]))

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, columns: Sequence[int]) -> Piecewise:
        """Return the chosen columns, in the given order."""
        chosen = list(columns)
        return Piecewise(self.schema, self.weights[chosen], self.offset[chosen])

    def affine(self, matrix: Tensor, offset: Tensor) -> Piecewise:
        """Return matrix · columns + offset."""
        matrix = matrix.to(torch.float64)
        return Piecewise(
            self.schema, matrix @ self.weights, matrix @ self.offset + offset.to(torch.float64)
        )

    def scaled(self, factor: Tensor, offset: Tensor) -> Piecewise:
        """Return factor · column + offset for each column, both of shape (columns,)."""
        factor = factor.to(torch.float64)
        return Piecewise(self.schema, self.weights * factor[:, None], self.offset * factor + offset)

    def layers(self) -> list[nn.Module]:
        """Return layers from unit-space rows (n, d) to the columns: linear, or linear–ReLU–linear.

        They compute only the basis functions that the columns use. Their weights are float64 and
        need no gradient.
        """
        d = len(self.schema.features)
        used = (self.weights[:, d:] != 0).any(dim=0).nonzero()[:, 0]
        if not len(used):
            return [linear_layer(self.weights[:, :d], self.offset)]
        # x + 1 is positive in all of unit space, so a ReLU does not change it.
        first = torch.zeros(d + len(used), d, dtype=torch.float64)
        first[:d] = torch.eye(d)
        shift = torch.ones(d + len(used), dtype=torch.float64)
        spots = [spot for place in range(d) for spot in _spots(self.schema, place)]
        for row, knot in enumerate(used.tolist()):
            place, below, count = spots[knot]
            first[d + row, place] = count - 1.0
            shift[d + row] = -float(below)
        plain = self.weights[:, :d]
        last = torch.cat([plain, self.weights[:, d + used]], dim=1)
        return [
            linear_layer(first, shift),
            nn.ReLU(),
            linear_layer(last, self.offset - plain.sum(dim=1)),
        ]


def _spots(schema: Schema, place: int) -> list[tuple[int, int, int]]:
    """Return (place, values below, number of values) for each inner value of a feature."""
    values = possible_numbers(schema.features[place])
    count = 0 if values is None else len(values)
    return [(place, below, count) for below in range(1, count - 1)]


def _knots(schema: Schema, place: int) -> slice:
    start = len(schema.features) + sum(len(_spots(schema, before)) for before in range(place))
    return slice(start, start + len(_spots(schema, place)))


def _width(schema: Schema) -> int:
    d = len(schema.features)
    return d + sum(len(_spots(schema, place)) for place in range(d))
