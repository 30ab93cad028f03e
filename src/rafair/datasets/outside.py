"""Test rows beyond the domains of a schema or of other rows: they are kept and named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.schema.cells import shown
from rafair.schema.fitting import levels_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema import Feature, Schema

__all__ = ["told_of_outside", "widened"]

# Values that a note names.
NAMED = 3


def told_of_outside(
    frame: pd.DataFrame, rows: pd.Index | None, features: Sequence[Feature], what: str
) -> list[str]:
    """Name the rows that lie outside the domains of some features.

    Parameters
    ----------
    rows : Index, optional
        What the user's table calls the rows.
    features : sequence of Feature
    what : str
        Whose domains they are, such as ``"the reference"``.
    """
    notes = []
    for feature in features:
        if feature.name not in frame.columns:
            continue
        values = frame[feature.name]
        out = np.flatnonzero(_outside(values, feature))
        if len(out):
            names = out if rows is None else rows[out]
            seen = [
                f"row {name}: {shown(value)}"
                for name, value in zip(names[:NAMED], values.iloc[out[:NAMED]], strict=True)
            ]
            more, lie = ", …" if len(out) > NAMED else "", "lies" if len(out) == 1 else "lie"
            notes.append(
                f"{len(out)} of {len(frame)} test rows {lie} beyond {what} in {feature.name} "
                f"({', '.join(seen)}{more}); its domain was widened to hold them."
            )
    return notes


def _outside(values: pd.Series, feature: Feature) -> pd.Series:
    if feature.has_levels:
        return ~values.isin(feature.levels) & values.notna()
    numbers = pd.to_numeric(values, errors="coerce")
    return (numbers < feature.low) | (numbers > float(feature.domain[1]))


def widened(schema: Schema, frame: pd.DataFrame) -> Schema:
    """Return a schema whose domains hold the rows of a frame too.

    New levels come after the known ones of a category; the levels of an order are not known to
    have others. The bulk, and so ε as a share, stays what it was. I(v) takes no new values.
    """
    features = tuple(_widened(feature, frame) for feature in schema.features)
    return schema if features == schema.features else replace(schema, features=features)


def _widened(feature: Feature, frame: pd.DataFrame) -> Feature:
    if feature.name not in frame.columns or feature.kind == "ordinal":
        return feature
    values = frame[feature.name]
    beyond = values[_outside(values, feature)]
    if beyond.empty:
        return feature
    if feature.has_levels:
        gap = feature.domain[len(feature.levels) :]
        return replace(feature, domain=(*feature.levels, *levels_of(beyond), *gap))
    numbers = pd.to_numeric(beyond)
    low, high = min(feature.domain[0], numbers.min()), max(feature.domain[1], numbers.max())
    ends = (int(low), int(high)) if feature.kind == "integer" else (float(low), float(high))
    share = feature.span / (ends[1] - ends[0])
    known = (feature.low, feature.low + feature.span)
    return replace(
        feature,
        domain=ends,
        bulk=feature.bulk or (known if feature.span else None),
        epsilon=None if feature.epsilon is None else feature.epsilon * share,
        step=None if feature.step is None else feature.step * share,
    )
