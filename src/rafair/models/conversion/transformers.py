"""Linear transformers: scaling, projection and selection of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rafair.models.conversion.registry import transformer

if TYPE_CHECKING:
    from rafair.models.conversion.columns import Columns
    from rafair.models.piecewise import Piecewise

__all__ = ["chosen", "maximum", "principal", "projected", "ranged", "standard"]


def _tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))


def _divided(columns: Columns, center: Any, scale: Any) -> Piecewise:
    """Return (column − center) / scale; None stands for 0 and 1."""
    factor = 1.0 / _tensor(np.ones(len(columns)) if scale is None else scale)
    shift = _tensor(np.zeros(len(columns)) if center is None else center)
    return columns.piecewise.scaled(factor, -shift * factor)


@transformer("StandardScaler")
def standard(step: Any, columns: Columns) -> Piecewise:
    """Subtract the mean, divide by the standard deviation."""
    return _divided(columns, step.mean_ if step.with_mean else None, step.scale_)


@transformer("RobustScaler")
def robust(step: Any, columns: Columns) -> Piecewise:
    """Subtract the median, divide by the difference of two quantiles."""
    return _divided(columns, step.center_, step.scale_)


@transformer("MaxAbsScaler", fits=lambda step: not getattr(step, "clip", False))
def maximum(step: Any, columns: Columns) -> Piecewise:
    """Divide by the largest absolute value."""
    return _divided(columns, None, step.scale_)


@transformer("MinMaxScaler", fits=lambda step: not step.clip)
def ranged(step: Any, columns: Columns) -> Piecewise:
    """Map the range of each column linearly to another range."""
    return columns.piecewise.scaled(_tensor(step.scale_), _tensor(step.min_))


@transformer("PCA", "IncrementalPCA")
def principal(step: Any, columns: Columns) -> Piecewise:
    """Project centred columns; with whitening, divide by their standard deviations."""
    matrix = _tensor(step.components_)
    if step.whiten:
        # scikit-learn uses the same minimum, so that a component without variance stays finite.
        floor = float(np.finfo(step.explained_variance_.dtype).eps)
        matrix = matrix / _tensor(step.explained_variance_).sqrt().clamp_min(floor)[:, None]
    return columns.piecewise.affine(matrix, -matrix @ _tensor(step.mean_))


@transformer("TruncatedSVD")
def projected(step: Any, columns: Columns) -> Piecewise:
    """Project columns without centring them."""
    matrix = _tensor(step.components_)
    return columns.piecewise.affine(matrix, torch.zeros(len(matrix), dtype=torch.float64))


@transformer(
    "VarianceThreshold",
    "SelectKBest",
    "SelectPercentile",
    "SelectFpr",
    "SelectFdr",
    "SelectFwe",
    "GenericUnivariateSelect",
    "SelectFromModel",
    "SequentialFeatureSelector",
    "RFE",
    "RFECV",
)
def chosen(step: Any, columns: Columns) -> Piecewise:
    """Keep the selected columns."""
    return columns.piecewise.take(step.get_support(indices=True).tolist())
