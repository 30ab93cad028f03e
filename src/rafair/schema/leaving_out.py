"""Says which columns of a table are no features: constants, identifiers, dates and free text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from rafair.schema.fitting import Column, kind_of_column

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["kept_for_model", "why_left_out"]

# Between the name of a column and the reason why it is no feature.
LEFT_OUT = ": left out, "
NO_CELL = "every cell is empty."
# A text column with at most this many different values is none of identifiers and free text.
FEW_VALUES = 10
# A text column with more different values than this share of the rows is an identifier.
IDENTIFIER = 0.5
# Texts with this many words on average are sentences.
SENTENCE = 4
# The share of cells that decides what a column's text is.
MOST = 0.9
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([T ]\d{1,2}:\d{2}.*)?"
)
# Names of columns that number the rows.
NUMBERED = re.compile(r"(^|[_ .-])(id|uuid|index|key)$|^(unnamed: ?\d+)$", re.IGNORECASE)


def why_left_out(values: pd.Series) -> str | None:
    """Return why a column is no feature, as the end of a sentence; None if it may be one.

    Parameters
    ----------
    values : Series
        Without empty cells, not empty.
    """
    try:
        different = int(values.nunique())
    except TypeError:  # lists and objects: fit_feature refuses them with a reason
        return None
    if pd.api.types.is_complex_dtype(values):
        return None
    if different == 1:
        return "it has the same value in every row"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "it holds dates; turn them into numbers, as years or days"
    if kind_of_column(values) != "categorical":
        return _why_numbers(values, different)
    text = values.astype(str)
    if different > 2 and text.map(lambda cell: bool(DATE.fullmatch(cell))).mean() >= MOST:
        return "it holds dates as text; turn them into numbers, as years or days"
    if different <= max(FEW_VALUES, IDENTIFIER * len(values)):
        return None
    if text.str.count(r"\s+").mean() >= SENTENCE - 1:
        return "it is free text: nearly every row has a text of its own"
    return "nearly every row has a text of its own; an identifier"


def kept_for_model(read: Iterable[str], told: Iterable[str]) -> dict[str, tuple[Column, str]]:
    """Return how columns that were left out are kept because a model reads them.

    Parameters
    ----------
    read : iterable of str
        The columns that the model reads and the schema lacks.
    told : iterable of str
        What was said when features were inferred.

    Returns
    -------
    dict of str to (Column, str)
        Column → a feature that nothing moves, and a sentence that says so. A column of which
        nothing was said, or of which every cell is empty, is missing here.
    """
    reasons = dict(note.split(LEFT_OUT, 1) for note in told if LEFT_OUT in note)
    said = "kept, since the model reads it, as a feature that nothing moves"
    return {
        name: (Column(name, perturbable=False), f"{name}: {said}; {reasons[name]}")
        for name in read
        if reasons.get(name, NO_CELL) != NO_CELL
    }


def _why_numbers(values: pd.Series, different: int) -> str | None:
    is_row_number = different == len(values) > FEW_VALUES and NUMBERED.search(str(values.name))
    if is_row_number and pd.api.types.is_integer_dtype(values):
        return "every row has another whole number; an identifier"
    return None
