"""Sparse matrices, which encoders and linear models of scikit-learn may hold."""

from __future__ import annotations

from typing import Any

__all__ = ["dense"]


def dense(matrix: Any) -> Any:
    """Return a sparse matrix of scipy as an array; anything else stays as it is."""
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix
