"""The columns that a model reads, as piecewise linear functions of unit-space rows.

A one-hot column, an ordinal code or a scaled number is a function of one feature whose value is
known at each possible value of that feature. Between two neighbouring possible values the function
is taken to be linear. Linear combinations of these functions can be computed by one ReLU layer,
which is exact at every possible value and differentiable between them, and for which certificates
can be computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.models.chain import linear_layer
from rafair.models.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema import Feature, Schema

__all__ = ["Piecewise", "Term", "possible_numbers"]

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
    terms : tuple of Term
        Further functions, which are not piecewise linear; each adds one to the basis.
    """

    schema: Schema
    weights: Tensor
    offset: Tensor
    terms: tuple[Term, ...] = ()

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
        schema, terms = parts[0].schema, tuple(dict.fromkeys(t for p in parts for t in p.terms))
        width = _width(schema)
        weights = torch.zeros(sum(map(len, parts)), width + len(terms), dtype=torch.float64)
        start = 0
        for part in parts:
            places = [*range(width), *(width + terms.index(term) for term in part.terms)]
            weights[start : start + len(part), places] = part.weights
            start += len(part)
        return cls(schema, weights, torch.cat([part.offset for part in parts]), terms)

    @classmethod
    def of_term(cls, term: Term) -> Piecewise:
        """Return one column: a product or function of others."""
        weights = torch.zeros(1, _width(term.columns.schema) + 1, dtype=torch.float64)
        weights[0, -1] = 1.0
        return cls(term.columns.schema, weights, torch.zeros(1, dtype=torch.float64), (term,))

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, columns: Sequence[int]) -> Piecewise:
        """Return the chosen columns, in the given order."""
        chosen = list(columns)
        return replace(self, weights=self.weights[chosen], offset=self.offset[chosen])

    def affine(self, matrix: Tensor, offset: Tensor) -> Piecewise:
        """Return matrix · columns + offset."""
        matrix = matrix.to(torch.float64)
        shifted = matrix @ self.offset + offset.to(torch.float64)
        return replace(self, weights=matrix @ self.weights, offset=shifted)

    def scaled(self, factor: Tensor, offset: Tensor) -> Piecewise:
        """Return factor · column + offset for each column, both of shape (columns,)."""
        factor = factor.to(torch.float64)
        shifted = self.offset * factor + offset
        return replace(self, weights=self.weights * factor[:, None], offset=shifted)

    def layers(self) -> list[nn.Module]:
        """Return layers from unit-space rows (n, d) to the columns: linear, or linear–ReLU–linear.

        Columns with terms have ``Terms`` and a linear layer behind. The layers compute only the
        basis functions that the columns use. Their weights are float64 and need no gradient.
        """
        if self.has_terms.any():
            return self._layers_of_terms()
        d = len(self.schema.features)
        used = (self.weights[:, d : _width(self.schema)] != 0).any(dim=0).nonzero()[:, 0]
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

    @property
    def has_terms(self) -> Tensor:
        """Tell for each column whether it is no piecewise linear function, shape (columns,)."""
        return (self.weights[:, _width(self.schema) :] != 0).any(dim=1)

    def _layers_of_terms(self) -> list[nn.Module]:
        width = _width(self.schema)
        used = [p for p in range(len(self.terms)) if bool((self.weights[:, width + p] != 0).any())]
        used.sort(key=lambda p: (self.terms[p].function, len(self.terms[p].columns)))
        chosen = [self.terms[p] for p in used]
        kinds = groupby((term.function, len(term.columns)) for term in chosen)
        groups = [(*kind, len(list(same))) for kind, same in kinds]
        plain = replace(self, weights=self.weights[:, :width], terms=())
        eye = torch.eye(len(self), dtype=torch.float64)
        factors = self.weights[:, [width + p for p in used]]
        return [
            *Piecewise.join([plain, *(term.columns for term in chosen)]).layers(),
            Terms(len(self), [(function, n, arity) for function, arity, n in groups]),
            linear_layer(torch.cat([eye, factors], dim=1), torch.zeros(len(self))),
        ]


@dataclass(frozen=True, eq=False)
class Term:
    """A product or smooth function of columns.

    Attributes
    ----------
    function : str
        ``terms.PRODUCT``, or a name in ``terms.FUNCTIONS``.
    columns : Piecewise
        The factors, or the one column that the function reads.
    """

    function: str
    columns: Piecewise


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
