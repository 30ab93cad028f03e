"""Finds features that give the label away, and copies of sensitive features."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pandas as pd

    from rafair.schema import Feature, Schema

__all__ = ["is_suspicion", "suspicions"]

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

# A rule gives the label away if it errs at most this often, as a share of the errors that the most
# frequent class alone makes.
LEFT_OVER = 0.05
# With fewer rows outside the most frequent class, a rule may be right by chance.
ENOUGH_ROWS = 10
# A rule by values is tried on features with at most this many rows' share of different values.
REPEATED = 0.5
# By these words its sentences can be told from other notes.
AWAY, COPY, ALONE = "tells it in", "I(v) varies", "nobody can be anyone else in it"


def suspicions(
    schema: Schema, frame: pd.DataFrame, not_leaks: Collection[str] = ()
) -> tuple[str, ...]:
    """Name features that give the label away, and sensitive ones with copies or a single value.

    A feature gives the label away if its value, or whether it lies above a threshold, tells the
    label on nearly all rows: then it was probably known only after the decision.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame
        Rows in original units; empty cells of a feature are passed over.
    not_leaks : collection of str
        Features that are known to tell the label, and are meant to.

    Returns
    -------
    tuple of str
        One sentence each, which begins with the feature's name.

    Raises
    ------
    InvalidInput
        If ``not_leaks`` names no feature, or a value lies outside its feature's domain.
    """
    for name in not_leaks:
        if name not in schema.names:
            raise InvalidInput(f"not_leaks names {name!r}, which is no feature")
    label = schema.encode_label(frame).numpy()
    columns = {feature.name: _unit(feature, frame) for feature in schema.features}
    found = [
        f"{feature.name}: {told}"
        for feature in schema.features
        if feature.name not in not_leaks
        and (told := _leak(feature, columns[feature.name], label, schema))
    ]
    return (*found, *_copies(schema, columns), *_alone(schema))


def is_suspicion(note: str) -> bool:
    """Tell whether a note of a dataset is one of ``suspicions``."""
    return any(words in note for words in (AWAY, COPY, ALONE))


def _unit(feature: Feature, frame: pd.DataFrame) -> Floats:
    """Return a feature in unit space, with NaN in empty cells."""
    values = feature.read(frame)
    present = values.notna().to_numpy()
    unit = np.full(len(values), np.nan)
    unit[present] = feature.encode(values[present])
    return unit


def _leak(feature: Feature, unit: Floats, label: Counts, schema: Schema) -> str | None:
    present = ~np.isnan(unit)
    rows = int(present.sum())
    values, places = np.unique(unit[present], return_inverse=True)
    k = len(schema.classes)
    counts = np.bincount(places * k + label[present], minlength=len(values) * k).reshape(-1, k)
    allowed = rows - int(counts.sum(axis=0).max())
    if allowed < ENOUGH_ROWS or len(values) < 2:
        return None
    most = rows - LEFT_OVER * allowed
    end = f"of {rows} rows. Was it known before the decision? If not, ignore it."
    if len(values) <= REPEATED * rows and (right := _by_value(counts)) >= most:
        return f"gives {schema.label} away: its value {AWAY} {right} {end}"
    right, cut = _by_threshold(counts)
    if feature.kind != "categorical" and right >= most:
        limit = feature.decode(values[cut : cut + 1]).iloc[0]
        return f"gives {schema.label} away: whether it is below {limit} {AWAY} {right} {end}"
    return None


def _by_value(counts: Counts) -> int:
    """Return in how many rows the other rows of the same value have this row's class most often.

    Leaving each row out keeps a feature of many rare values from looking like a rule.
    """
    right = 0
    for code in range(counts.shape[1]):
        others = np.delete(counts, code, axis=1).max(axis=1)
        right += int(counts[counts[:, code] - 1 > others, code].sum())
    return right


def _by_threshold(counts: Counts) -> tuple[int, int]:
    """Return the rows that the best threshold decides rightly, and the first value above it."""
    below = counts.cumsum(axis=0)
    right = below[:-1].max(axis=1) + (below[-1] - below[:-1]).max(axis=1)
    best = int(right.argmax())
    return int(right[best]), best + 1


def _copies(schema: Schema, columns: dict[str, Floats]) -> Iterator[str]:
    for feature in schema.features:
        for other in schema.features:
            if feature.sensitive and not other.sensitive:
                how = _same(columns[feature.name], columns[other.name])
                if how:
                    yield (
                        f"{other.name}: {how} the sensitive {feature.name} in every row; "
                        f"{COPY} {feature.name} alone, and a model that reads {other.name} looks "
                        "fair. Make it sensitive too, with a relation between them, or ignore one."
                    )


def _alone(schema: Schema) -> Iterator[str]:
    for feature in schema.features:
        if feature.sensitive and len(feature.axis) == 1:
            yield (
                f"{feature.name}: it is sensitive and has one value, so that {ALONE}; fairness in "
                "it is not asked about. Give the training rows, or its other values in a plan."
            )


def _same(left: Floats, right: Floats) -> str | None:
    """Say how two columns hold the same information, if they do in every row."""
    both = ~np.isnan(left) & ~np.isnan(right)
    if both.sum() < ENOUGH_ROWS:
        return None
    if np.array_equal(left[both], right[both]) and left[both].min() < left[both].max():
        return "equals"
    firsts, seconds = (np.unique(side[both], return_inverse=True)[1] for side in (left, right))
    different = int(firsts.max()) + 1
    if seconds.max() + 1 != different or not 1 < different <= REPEATED * both.sum():
        return None
    pairs = len(np.unique(firsts * different + seconds))
    return "has one value for each of" if pairs == different else None
