"""Transformers that compute products or functions of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.conversion.columns import NotConvertible
from rafair.models.conversion.encoders import check_readable
from rafair.models.conversion.registry import transformer
from rafair.models.piecewise import Piecewise, Term
from rafair.models.terms import FUNCTIONS, LOWEST, PRODUCT

if TYPE_CHECKING:
    from rafair.models.conversion.columns import Columns

__all__ = ["mapped", "multiplied"]


def _is_of_one_column(step: Any) -> bool:
    """Tell whether a function is one of NumPy's or SciPy's that map each number by itself."""
    function = step.func
    own = isinstance(function, np.ufunc) and (function.nin, function.nout) == (1, 1)
    return function is None or (own and not step.kw_args)


@transformer("FunctionTransformer", fits=_is_of_one_column)
def mapped(step: Any, columns: Columns) -> Piecewise:
    """Tabulate a function of countable columns; of others, compute it."""
    if step.func is None:
        return columns.piecewise
    table = columns.tabulated(columns.transformed(step))
    parts = []
    for place in range(len(columns)):
        try:
            check_readable(step, columns, place)
            parts.append(table.take([place]))
        except NotConvertible:
            if not _has_slope(step.func.__name__, columns, place):
                raise
            term = Term(step.func.__name__, columns.piecewise.take([place]))
            parts.append(Piecewise.of_term(term))
    return Piecewise.join(parts)


def _has_slope(function: str, columns: Columns, place: int) -> bool:
    """Tell whether a function is known and has a slope at all possible values of a column."""
    column = columns.piecewise.take([place])
    d = len(column.schema.features)
    if function not in FUNCTIONS:
        return False
    if function not in LOWEST:
        return True
    lowest = column.offset + column.weights[:, :d].clamp_max(0).sum()
    return bool((column.weights[:, d:] == 0).all() and lowest > LOWEST[function])


@transformer("PolynomialFeatures")
def multiplied(step: Any, columns: Columns) -> Piecewise:
    """Tabulate products that are functions of one countable feature; compute the others."""
    table = columns.tabulated(columns.transformed(step))
    features = [_feature_of(step, columns, place) for place in range(len(columns))]
    parts = []
    for place, powers in enumerate(step.powers_):
        used = np.flatnonzero(powers).tolist()
        if powers.sum() == 1:
            parts.append(columns.piecewise.take(used))
        elif None not in (read := {features[factor] for factor in used}) and len(read - {-1}) <= 1:
            parts.append(table.take([place]))
        else:
            factors = columns.piecewise.take(np.repeat(np.arange(len(powers)), powers).tolist())
            parts.append(Piecewise.of_term(Term(PRODUCT, factors)))
    return Piecewise.join(parts)


def _feature_of(step: Any, columns: Columns, place: int) -> int | None:
    """Return the one countable feature that a column depends on; −1 for a constant column.

    None if the column depends on several features, or on one that is not countable.
    """
    try:
        check_readable(step, columns, place)
    except NotConvertible:
        return None
    return next(iter(columns.features_of(place)), -1)
