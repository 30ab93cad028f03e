"""Calibrated classifiers: the mean, over folds, of a monotone map of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.trees.composition import added
from rafair.trees.parts import Affine, Logistic, Table
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition
    from rafair.trees.parts import Map

__all__ = ["accepts", "compose"]


def accepts(model: Any) -> bool:
    """Tell whether a model is a fitted CalibratedClassifierCV."""
    if not comes_from(model, "sklearn"):
        return False
    from sklearn.calibration import CalibratedClassifierCV

    is_it = isinstance(model, CalibratedClassifierCV)
    return is_it and hasattr(model, "calibrated_classifiers_")


def compose(model: Any, read: Callable[[Any], Composition]) -> Composition:
    """Add up the folds."""
    folds = model.calibrated_classifiers_
    if len(model.classes_) != 2:
        raise Unreadable("calibration of more than two classes")
    members = [_fold(one, model.classes_, read) for one in folds]
    return added([one.scaled(1 / len(folds)) for one in members])


def _fold(fold: Any, classes: Any, read: Callable[[Any], Composition]) -> Composition:
    if fold.method not in ("sigmoid", "isotonic"):
        raise Unreadable(f"calibration by {fold.method}")
    inner = fold.estimator
    if not np.array_equal(inner.classes_, classes):
        raise Unreadable("calibration of a member that has not seen all classes")
    member = read(inner)
    if hasattr(inner, "decision_function"):
        score = member.raw()
    else:
        score = member.probability().scaled(0.5, 0.5)
    return score.mapped(*_maps(fold.calibrators[0])).scaled(2.0, -1.0)


def _maps(calibrator: Any) -> tuple[Map, ...]:
    """Return the maps of a calibrator: Platt's sigmoid, or the lines of isotonic regression."""
    if hasattr(calibrator, "a_"):
        return Affine(-float(calibrator.a_), -float(calibrator.b_)), Logistic()
    xs, ys = (
        np.asarray(one, np.float64) for one in (calibrator.X_thresholds_, calibrator.y_thresholds_)
    )
    return (Table(xs, ys),)
