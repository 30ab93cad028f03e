"""Missing cells that stay missing: the rules, and how unit space and tables hold such cells."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

__all__ = ["LEVEL", "MISSING", "MISSING_RULES", "Missing", "free_level", "is_missing", "with_gaps"]

# refuse: no cell is missing. keep: a missing cell stays missing, in Δ and in I(v). level: missing
# is a value of its own, which a switching category or I(v) may take.
Missing: TypeAlias = Literal["refuse", "keep", "level"]
MISSING_RULES: tuple[Missing, ...] = get_args(Missing)
# A missing cell in unit space: exact in every floating type, and so far from [0, 1] that no limit
# of I(v) reaches it. A category whose missing cells are a level has a code for them instead.
MISSING = -2.0
# What the level of missing cells is called in a domain.
LEVEL = "missing"

Cells = TypeVar("Cells", Tensor, npt.NDArray[Any])


def is_missing(unit: Cells) -> Cells:
    """Tell which numbers of a feature that may be missing stand for a missing cell, bool."""
    return unit < MISSING / 2


def free_level(levels: tuple[object, ...]) -> str:
    """Return a name for the level of missing cells that no other level has."""
    name = LEVEL
    while name in levels:
        name += "_"
    return name


def with_gaps(values: pd.Series, missing: npt.NDArray[np.bool_]) -> pd.Series:
    """Return a column with empty cells; whole numbers become floats, whether any is empty or not.

    So a model is given one type of column, whoever is in the table.
    """
    if pd.api.types.is_integer_dtype(values):
        values = values.astype(np.float64)
    elif not pd.api.types.is_float_dtype(values):
        values = values.astype(object)
    return values.where(~missing, np.nan)
