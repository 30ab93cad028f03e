"""scikit-learn's linear classifiers of two classes, beside trees: a weight for every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.models.sparse import dense
from rafair.trees.table import Reading, TreeTable, Unreadable

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["accepts", "read"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted linear classifier, of which a sum may be mapped."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn import discriminant_analysis, linear_model, svm

    kinds = (
        linear_model.LogisticRegression,
        linear_model.RidgeClassifier,
        linear_model.SGDClassifier,
        discriminant_analysis.LinearDiscriminantAnalysis,
        svm.LinearSVC,
    )
    return isinstance(model, kinds) and hasattr(model, "coef_")


def read(model: Any) -> Reading:
    """Read the weights; a tree of one leaf stands for the trees that there are not."""
    weights = np.atleast_2d(dense(model.coef_))
    if len(model.classes_) != 2 or len(weights) != 1:
        raise Unreadable("a linear model of more than two classes")
    unit = float(np.finfo(weights.dtype).eps) / 2
    base = np.array([0.0, float(np.ravel(model.intercept_)[0])])
    nothing = TreeTable.tree([-1], [-1], [-1], [0.0], [0.0])
    table = TreeTable.of([nothing], base, "softmax", unit)
    columns = tuple(range(weights.shape[1]))
    return Reading(table, _numbers, columns, weights[0].astype(np.float64))


def _numbers(rows: Any) -> npt.NDArray[np.float64]:
    return np.asarray(dense(rows), dtype=np.float64)
