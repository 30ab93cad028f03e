"""Convert scikit-learn's transformers to columns and its classifiers to layers.

One function converts one kind of step. ``registry`` finds it by the name of the step's class.
"""

from rafair.models.conversion import composition, encoders, estimators, thresholds, transformers
from rafair.models.conversion.columns import Columns, NotConvertible, raw_columns
from rafair.models.conversion.registry import (
    convert,
    is_convertible_classifier,
    is_from_sklearn,
    step_names,
)
from rafair.models.conversion.thresholds import folded, threshold_of

__all__ = [
    "Columns",
    "NotConvertible",
    "composition",
    "convert",
    "encoders",
    "estimators",
    "folded",
    "is_convertible_classifier",
    "is_from_sklearn",
    "raw_columns",
    "step_names",
    "threshold_of",
    "thresholds",
    "transformers",
]
