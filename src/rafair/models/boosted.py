"""Code shared by XGBoost, LightGBM and CatBoost: each may know column names and levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.errors import InvalidInput
from rafair.models.agreement import random_people, unit_rows
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.queried import QueriedClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rafair.models.inputs import Inputs
    from rafair.models.queried import Answer
    from rafair.schema import Schema

__all__ = ["answering", "choose_feed"]

PROBES = 8


def choose_feed(
    names: tuple[str, ...],
    categorical: Sequence[str],
    width: int,
    schema: Schema | None,
    inputs: Inputs,
) -> Feed:
    """Choose what a booster reads: a frame if it was trained on named columns.

    Parameters
    ----------
    names : tuple of str
        Names of the model's columns, in the model's order; empty if it has no names.
    categorical : sequence of str
        The columns whose levels the model knows.
    width : int
        Number of the model's columns.

    Raises
    ------
    InvalidInput
        If the data lack a column of the model, hold text where the model reads numbers, or have
        another number of columns; or if the model knows levels but cannot be given a frame.
    """
    if inputs == "frame" or (inputs == "auto" and names and schema is not None):
        feed = Feed("frame", schema, names)
        _check_text(names, categorical, schema)
    else:
        if categorical:
            raise InvalidInput(
                f"the model knows the levels of column {categorical[0]!r}, so that it reads a "
                "frame; pass the data's schema and leave inputs at 'auto'"
            )
        chosen = choose_inputs(inputs, schema)
        known = schema is not None and set(names) <= set(schema.columns)
        feed = Feed(chosen, schema, names if chosen == "original" and known else ())
    rows = unit_rows(width, 1) if schema is None else random_people(schema, 1)
    found = feed(rows).shape[1]
    if found != width:
        raise InvalidInput(f"the model reads {width} columns, but the data have {found}")
    return feed


def _check_text(names: tuple[str, ...], categorical: Sequence[str], schema: Schema | None) -> None:
    for feature in () if schema is None else schema.features:
        text = feature.has_levels and any(isinstance(level, str) for level in feature.levels)
        read = feature.name in names or not names
        if text and not feature.columns and read and feature.name not in categorical:
            raise InvalidInput(
                f"the model reads numbers in column {feature.name!r}, where the data hold text; "
                "wrap the pipeline that codes it, or pass inputs='unit' or 'original'"
            )


def answering(
    predict: Callable[[Any], Any],
    feed: Feed,
    answer: Answer,
    order: tuple[int, ...],
    width: int,
    kind: str,
) -> QueriedClassifier:
    """Return a booster as a classifier, after computing its scores for a few random people."""
    schema = feed.schema
    columns = width if schema is None else len(schema.features)
    labels = order if answer == "labels" else ()
    wrapped = QueriedClassifier(predict, feed, answer, order, columns, kind, labels)
    wrapped.scores(unit_rows(columns, PROBES) if schema is None else random_people(schema, PROBES))
    return wrapped
