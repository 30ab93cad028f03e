"""Explain a model's decisions about an instance and its similar counterparts, and about groups."""

from rafair.analysis.explanations import Explanation, explain
from rafair.analysis.groups import SMALL, Group, group_levels, groups_of, people_of
from rafair.analysis.regression import median_slopes

__all__ = [
    "SMALL",
    "Explanation",
    "Group",
    "explain",
    "group_levels",
    "groups_of",
    "median_slopes",
    "people_of",
]
