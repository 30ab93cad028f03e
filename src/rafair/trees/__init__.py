"""Sums of trees: one table for every library, and an exact search over boxes of people."""

from rafair.trees.ensemble import TreeEnsemble, has_trees, tree_ensemble, why_no_trees

__all__ = ["TreeEnsemble", "has_trees", "tree_ensemble", "why_no_trees"]
