"""What was inferred about a column, and what a person should check, one sentence each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd

from rafair.schema.cells import shown
from rafair.schema.fitting import MAX_LEVELS, kind_of_column
from rafair.schema.leaving_out import FEW_VALUES
from rafair.schema.number_text import styles_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.schema.feature import Feature, Kind, Level

__all__ = ["doubts_about", "read_as_numbers", "told_of_kind"]


def doubts_about(feature: Feature, values: pd.Series) -> Iterator[str]:
    """Yield what was inferred from a column's values, and what a person should check.

    Parameters
    ----------
    feature : Feature
    values : Series
        The column as it was given, without empty cells.
    """
    different = values.nunique()
    told = told_of_kind(feature.kind, values)
    if told:
        yield told
    if code := _negative_code(feature, values):
        yield code
    if different == 1:
        yield "has the same value in every row."
    elif feature.kind in ("integer", "numeric") and different == 2:
        yield 'a number with two different values; a category? Then kind = "categorical".'
    elif feature.kind == "integer" and 2 < different <= FEW_VALUES:
        yield (
            f"whole numbers with {different} different values; are they codes of categories "
            '(kind = "categorical") or an order ("ordinal")?'
        )
    elif feature.kind == "integer" and different == len(values) > FEW_VALUES:
        yield "every row has another whole number; is it an identifier? Then ignore it."
    elif as_written := read_as_numbers(values):
        yield f"{as_written}."
    elif feature.kind == "categorical" and _looks_numeric(values):
        yield "text that reads like numbers; a cell that is none makes the column text."
    elif feature.kind == "categorical" and different > MAX_LEVELS // 4:
        yield f"text with {different} levels; group them, or ignore it if it is an identifier."
    elif feature.kind == "categorical" and different > 2 and _looks_ordered(feature.domain):
        yield 'its levels look ordered; if they are, kind = "ordinal" and levels in their order.'


def told_of_kind(kind: Kind, values: pd.Series) -> str | None:
    """Say that the values, and not their type, gave a column its kind."""
    if kind == "integer" and pd.api.types.is_float_dtype(values):
        return "whole numbers stored as decimal ones; taken for whole numbers."
    if kind == "categorical" and kind_of_column(values) != "categorical":
        return 'only 0 and 1 occur; taken for a category (kind = "integer" makes it a number).'
    return None


def _negative_code(feature: Feature, values: pd.Series) -> str | None:
    if feature.has_levels:
        return None
    negative = values[values < 0]
    if negative.nunique() != 1 or values.nunique() <= FEW_VALUES or feature.bulk is not None:
        return None
    code = f"{negative.iloc[0]:.10g}"
    return (
        f"{code} is its only negative value, in {len(negative)} of {len(values)} rows; a code for "
        f"a missing value? Then empty = [{code}], and a rule for empty cells."
    )


def read_as_numbers(values: pd.Series) -> str | None:
    """Say how a text column reads as numbers, if it does; a person decides."""
    if kind_of_column(values) != "categorical" or not (styles := styles_of(values)):
        return None
    rules = " or ".join(f'written = "{style}"' for style in styles)
    return f"text such as {shown(values.iloc[0])} that reads as numbers with {rules}"


def _looks_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):  # truth values included
        return False
    return bool(pd.to_numeric(values, errors="coerce").notna().mean() > 0.9)


def _looks_ordered(levels: tuple[Level, ...]) -> bool:
    words = {"low", "medium", "high", "small", "large", "none", "some", "good", "bad", "poor"}
    text = [str(level).lower() for level in levels]
    with_digits = sum(any(map(str.isdigit, level)) for level in text)
    return with_digits > len(text) / 2 or len(words.intersection(itertools.chain(text))) >= 2
