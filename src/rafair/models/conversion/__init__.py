"""Convert scikit-learn's transformers to columns and its classifiers to layers.

One function converts one kind of step. ``registry`` finds it by the name of the step's class.
"""

from rafair.models.conversion import composition, encoders, estimators, transformers
from rafair.models.conversion.columns import Columns, NotConvertible, raw_columns
from rafair.models.conversion.registry import (
    convert,
    is_convertible_classifier,
    is_from_sklearn,
    step_names,
)

__all__ = [
    "Columns",
    "NotConvertible",
    "composition",
    "convert",
    "encoders",
    "estimators",
    "is_convertible_classifier",
    "is_from_sklearn",
    "raw_columns",
    "step_names",
    "transformers",
]
