"""Calibrated classifiers: the mean, over folds, of a monotone map of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.models.extras import comes_from
from rafair.trees.composition import added
from rafair.trees.parts import Affine, Logistic, Logit, Table
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.trees.composition import Composition
    from rafair.trees.parts import Map

__all__ = ["accepts", "compose"]

# What scikit-learn adds to a probability before it takes the logarithm.
LEAST = 1e-12


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
    inner = fold.estimator
    if not np.array_equal(inner.classes_, classes):
        raise Unreadable("calibration of a member that has not seen all classes")
    member, is_raw = read(inner), hasattr(inner, "decision_function")
    score = member.raw() if is_raw else member.probability().scaled(0.5, 0.5)
    maps = _maps(fold.calibrators[0], is_raw=is_raw)
    return score.mapped(*maps).scaled(2.0, -1.0)


def _maps(calibrator: Any, *, is_raw: bool) -> tuple[Map, ...]:
    """Return the maps of a calibrator: Platt's sigmoid, a temperature, or isotonic lines.

    A temperature divides the log-odds, of which a score is taken to be a half.
    """
    if hasattr(calibrator, "a_"):
        return Affine(-float(calibrator.a_), -float(calibrator.b_)), Logistic()
    if hasattr(calibrator, "beta_"):
        beta = float(calibrator.beta_)
        if is_raw:
            return Affine(2 * beta, 0.0), Logistic()
        return Logit(LEAST), Affine(beta, 0.0), Logistic()
    xs, ys = (
        np.asarray(one, np.float64) for one in (calibrator.X_thresholds_, calibrator.y_thresholds_)
    )
    return (Table(xs, ys),)
