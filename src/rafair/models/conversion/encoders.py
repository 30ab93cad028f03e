"""Encoders, bins, splines and imputers, which are tabulated on every possible value of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rafair.models.conversion.columns import Columns, NotConvertible
from rafair.models.conversion.registry import transformer
from rafair.models.piecewise import Piecewise

__all__ = ["check_readable", "encoded", "imputed"]

if TYPE_CHECKING:
    from collections.abc import Iterable

# Their outputs jump between two values, so that no network is exact for uncountable ones.
STEPS = ("KBinsDiscretizer",)


def check_readable(step: Any, columns: Columns, place: int) -> None:
    """Refuse a column unless it is a function of a single countable feature."""
    name = type(step).__name__
    does = "is a step function of" if name in STEPS else "reads"
    try:
        features = columns.features_of(place)
    except NotConvertible as reason:
        raise NotConvertible(f"{name} {does} {reason}") from reason
    if len(features) > 1:
        raise NotConvertible(f"{name} {does} column {columns.names[place]!r} of several features")


@transformer("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
@transformer("KBinsDiscretizer", "SplineTransformer")
def encoded(step: Any, columns: Columns) -> Piecewise:
    """Tabulate a step that treats its columns one by one.

    The outputs of an encoder also show how it codes dropped, rare and unknown levels.
    """
    for place in range(len(columns)):
        check_readable(step, columns, place)
    return columns.tabulated(columns.transformed(step))


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
            check_readable(step, columns, origin)
            parts.append(table.take([place]))
    return Piecewise.join(parts) if parts else columns.piecewise.take([])


def _names_in(step: Any, width: int) -> list[str]:
    names = getattr(step, "feature_names_in_", None)
    return [f"x{place}" for place in range(width)] if names is None else list(names)


def _check_missing(step: Any, columns: Columns, place: int) -> None:
    """Refuse a column that is not countable if a number in it stands for a missing cell."""
    if not pd.isna(step.missing_values):
        check_readable(step, columns, place)


def _agree(ours: Iterable[Any], theirs: Iterable[Any]) -> bool:
    return all(one == other for one, other in zip(ours, theirs, strict=True))
