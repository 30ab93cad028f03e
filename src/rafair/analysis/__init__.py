"""Why a model decides as it does about a person and those who are like them."""

from rafair.analysis.explanations import Explanation, explain
from rafair.analysis.regression import median_slopes

__all__ = ["Explanation", "explain", "median_slopes"]
