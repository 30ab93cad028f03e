"""Explain a model's decisions about an instance and its similar counterparts."""

from rafair.analysis.explanations import Explanation, explain
from rafair.analysis.regression import median_slopes

__all__ = ["Explanation", "explain", "median_slopes"]
