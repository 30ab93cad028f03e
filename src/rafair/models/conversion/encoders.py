"""Transformers that treat columns one by one; they are tabulated on every possible value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.models.conversion.columns import Columns, NotConvertible
from rafair.models.conversion.registry import transformer
from rafair.models.piecewise import Piecewise

__all__ = ["encoded", "imputed", "multiplied"]

# Their outputs jump between two values, so that no network is exact for uncountable ones.
STEPS = ("KBinsDiscretizer",)

if TYPE_CHECKING:
    from collections.abc import Iterable


def _check_readable(step: Any, columns: Columns, place: int) -> None:
    """Refuse a column unless it is a function of a single countable feature."""
    name, does = type(step).__name__, "reads"
    if name in STEPS:
        does = "is a step function of"
    try:
        features = columns.features_of(place)
    except NotConvertible as reason:
        raise NotConvertible(f"{name} {does} {reason}") from reason
    if len(features) > 1:
        raise NotConvertible(f"{name} {does} column {columns.names[place]!r} of several features")


@transformer("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
@transformer("KBinsDiscretizer", "SplineTransformer")
@transformer("FunctionTransformer", fits=lambda step: step.func is None or _is_of_one_column(step))
def encoded(step: Any, columns: Columns) -> Piecewise:
    """Tabulate a step that treats its columns one by one.

    The outputs of an encoder also show how it codes dropped, rare and unknown levels.
    """
    if getattr(step, "func", step) is None:
        return columns.piecewise  # a FunctionTransformer without function changes nothing
    for place in range(len(columns)):
        _check_readable(step, columns, place)
    return columns.tabulated(columns.transformed(step))


def _is_of_one_column(step: Any) -> bool:
    """Tell whether a function is one of NumPy's or SciPy's that map each number by itself."""
    function = step.func
    return isinstance(function, np.ufunc) and (function.nin, function.nout) == (1, 1)


@transformer("PolynomialFeatures")
def multiplied(step: Any, columns: Columns) -> Piecewise:
    """Return products of columns; a product must be a function of a single countable feature."""
    table = columns.tabulated(columns.transformed(step))
    parts = []
    for place, powers in enumerate(step.powers_):
        used = np.flatnonzero(powers).tolist()
        if powers.sum() == 1:
            parts.append(columns.piecewise.take(used))
            continue
        features = set()
        for column in used:
            _check_readable(step, columns, column)
            features.update(columns.features_of(column))
        if len(features) > 1:
            names = " and ".join(repr(columns.names[column]) for column in used)
            raise NotConvertible(f"PolynomialFeatures multiplies columns {names}")
        parts.append(table.take([place]))
    return Piecewise.join(parts)


@transformer("SimpleImputer")
def imputed(step: Any, columns: Columns) -> Piecewise:
    """Return the imputed columns; the imputer drops a column whose cells were all missing."""
    answer = columns.transformed(step)
    table = columns.tabulated(answer)
    before, after = (np.asarray(rows, dtype=object) for rows in (columns.rows, answer))
    given = [str(name) for name in _names_in(step, len(columns))]
    parts = []
    for place, name in enumerate(step.get_feature_names_out()):
        if name not in given:  # a column that indicates missing cells
            parts.append(table.take([place]))
            continue
        origin = given.index(name)
        if _agree(after[:, place], before[:, origin]):
            _check_missing(step, columns, origin)
            parts.append(columns.piecewise.take([origin]))
        else:
            _check_readable(step, columns, origin)
            parts.append(table.take([place]))
    return Piecewise.join(parts) if parts else columns.piecewise.take([])


def _names_in(step: Any, width: int) -> list[str]:
    names = getattr(step, "feature_names_in_", None)
    return [f"x{place}" for place in range(width)] if names is None else list(names)


def _check_missing(step: Any, columns: Columns, place: int) -> None:
    """Refuse a column that is not countable if a number in it stands for a missing cell."""
    if not pd.isna(step.missing_values):
        _check_readable(step, columns, place)


def _agree(ours: Iterable[Any], theirs: Iterable[Any]) -> bool:
    return all(one == other for one, other in zip(ours, theirs, strict=True))
