"""Metric functions on arrays: what the judge says, of predictions that one has already.

As in ``sklearn.metrics``, they need no model and no schema: the predictions for the people and for
their similar counterparts are enough.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rafair.checks import check_one_of
from rafair.errors import InvalidInput
from rafair.fairness.verdict import CELLS, TF, Verdict

__all__ = [
    "accurate_fairness_score",
    "dissent_score",
    "fairness_confusion_matrix",
    "individual_fairness_score",
]

Normalize: TypeAlias = Literal["accuracy", "fairness", "all"]
Labels: TypeAlias = npt.NDArray[Any]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]

# By what each entry of the matrix is divided: the sum over these axes.
AXES: dict[str, tuple[int, ...]] = {"accuracy": (1,), "fairness": (0,), "all": (0, 1)}
# Kinds of NumPy's types that can be compared with one another.
NUMBERS = "biuf"


def accurate_fairness_score(
    y_true: Any,
    y_pred: Any,
    y_pred_counterparts: Any,
    *,
    valid: Any = None,
    sample_weight: Any = None,
) -> float:
    """Return AF: the share of people who, like everyone in I(v), get the prediction y.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Ground truth.
    y_pred : array-like, shape (n,)
        Predicted class f(v) of each person.
    y_pred_counterparts : array-like, shape (n, m)
        Predicted class f(v') of each person's similar counterparts, who differ from the person in
        sensitive attributes only. The person may be among them. A person with fewer than m has
        empty cells: NaN, None or masked.
    valid : array-like of bool, shape (n, m), optional
        Which counterparts exist; by default all whose cell is not empty.
    sample_weight : array-like, shape (n,), optional

    Returns
    -------
    float
        In [0, 1]; the rate of the cell TF.

    Raises
    ------
    InvalidInput
        If a shape does not fit, a prediction is missing, labels are text in one array and numbers
        in another, or a weight is negative or not finite.

    Examples
    --------
    >>> accurate_fairness_score([1, 0, 1], [1, 0, 0], [[1, 1], [0, 1], [0, 0]])
    0.3333333333333333

    Source: Li et al., arXiv:2404.01356v1, Definition 3.1 with K = 0.
    """
    cells = _verdict(y_true, y_pred, y_pred_counterparts, valid).cells.numpy()
    return float(np.average(cells == TF, weights=_weights(sample_weight, len(cells))))


def individual_fairness_score(
    y_pred: Any, y_pred_counterparts: Any, *, valid: Any = None, sample_weight: Any = None
) -> float:
    """Return IF: the share of people who get the same prediction as everyone in I(v).

    Parameters
    ----------
    y_pred, y_pred_counterparts, valid, sample_weight : see ``accurate_fairness_score``

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InvalidInput
        See ``accurate_fairness_score``.

    Examples
    --------
    >>> individual_fairness_score([1, 0, 0], [[1, 1], [0, 1], [0, 0]])
    0.6666666666666666

    Source: Li et al., arXiv:2404.01356v1, section 3.1 with K = 0.
    """
    fair = _fair(_column("y_pred", y_pred), y_pred_counterparts, valid)
    return float(np.average(fair, weights=_weights(sample_weight, len(fair))))


def dissent_score(
    y_pred: Any, y_pred_counterparts: Any, *, valid: Any = None, sample_weight: Any = None
) -> float:
    """Return the mean share of a person's counterparts who get another prediction; lower is better.

    IF counts a person as unfair because of a single counterpart; this says because of how many. It
    is the flip rate of counterfactual fairness tests.

    Parameters
    ----------
    y_pred, y_pred_counterparts, valid, sample_weight : see ``accurate_fairness_score``
        Leave the person out of their counterparts: everyone who exists counts. A person without
        any counterpart counts as 0.

    Returns
    -------
    float
        In [0, 1]; 0 if and only if IF is 1.

    Raises
    ------
    InvalidInput
        See ``accurate_fairness_score``.

    Examples
    --------
    >>> dissent_score([1, 0, 0], [[1, 1], [0, 1], [0, 0]])
    0.16666666666666666
    """
    differs, there = _differing(_column("y_pred", y_pred), y_pred_counterparts, valid)
    shares = differs.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return float(np.average(shares, weights=_weights(sample_weight, len(shares))))


def fairness_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    y_pred_counterparts: Any,
    *,
    valid: Any = None,
    sample_weight: Any = None,
    normalize: Normalize | None = None,
) -> npt.NDArray[Any]:
    """Return the four cells of Table 1: true or false predictions by fair or biased treatment.

    ``tf, tb, ff, fb = fairness_confusion_matrix(...).ravel()``

    Parameters
    ----------
    y_true, y_pred, y_pred_counterparts, valid, sample_weight : see ``accurate_fairness_score``
    normalize : {"accuracy", "fairness", "all"}, optional
        Divide by the sums over each row (of the true predictions, the share that is fair), over
        each column, or over all cells (the rates TFR, TBR, FFR and FBR). An empty row or column
        stays 0.

    Returns
    -------
    ndarray, shape (2, 2)
        [[TF, TB], [FF, FB]]: number of people, int64; with weights or ``normalize`` float64.

    Raises
    ------
    InvalidInput
        See ``accurate_fairness_score``; or if ``normalize`` is an unknown word.

    Examples
    --------
    >>> fairness_confusion_matrix([1, 0, 1], [1, 0, 0], [[1, 1], [0, 1], [0, 0]])
    array([[1, 1],
           [1, 0]])

    Source: Li et al., arXiv:2404.01356v1, Table 1.
    """
    if normalize is not None:
        check_one_of("normalize", normalize, list(AXES))
    cells = _verdict(y_true, y_pred, y_pred_counterparts, valid).cells.numpy()
    weights = _weights(sample_weight, len(cells))
    matrix: Labels = np.bincount(cells, weights, minlength=len(CELLS)).reshape(2, 2)
    if normalize is None:
        return matrix
    total = np.broadcast_to(matrix.sum(axis=AXES[normalize], keepdims=True), matrix.shape)
    shares: Floats = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    return shares


def _verdict(y_true: Any, y_pred: Any, y_pred_counterparts: Any, valid: Any) -> Verdict:
    true, own = _column("y_true", y_true), _column("y_pred", y_pred)
    if len(true) != len(own):
        raise InvalidInput(f"y_true has {len(true)} labels and y_pred {len(own)}")
    _check_comparable("y_true", true, "y_pred", own)
    fair = _fair(own, y_pred_counterparts, valid)
    accurate = np.asarray(true == own, dtype=np.bool_)
    return Verdict.of(torch.from_numpy(accurate), torch.from_numpy(fair))


def _fair(own: Labels, y_pred_counterparts: Any, valid: Any) -> Bools:
    """Tell who gets the same class as all who exist in I(v), shape (n,)."""
    differs, _ = _differing(own, y_pred_counterparts, valid)
    fair: Bools = ~np.any(differs, axis=1)
    return fair


def _differing(own: Labels, y_pred_counterparts: Any, valid: Any) -> tuple[Bools, Bools]:
    """Tell which counterparts get another class, and which exist, each of shape (n, m)."""
    others, there = _labels("y_pred_counterparts", y_pred_counterparts)
    if others.ndim != 2 or len(others) != len(own):
        raise InvalidInput(
            f"y_pred_counterparts has shape {others.shape}; it must be ({len(own)}, m), one row "
            "for each person in y_pred"
        )
    if valid is not None:
        exist = _array("valid", valid)
        if exist.shape != others.shape or exist.dtype != np.bool_:
            raise InvalidInput(f"valid must hold true or false in shape {others.shape}")
        _check_there("y_pred_counterparts", there | ~exist)
        there = exist
    _check_comparable("y_pred", own, "y_pred_counterparts", others[there])
    # An empty cell may hold anything, even pandas.NA, which cannot be compared.
    alike = np.asarray(np.where(there, others, own[:, None]) == own[:, None], dtype=np.bool_)
    return ~alike, there


def _column(name: str, values: Any) -> Labels:
    """Return labels, shape (n,), none of them missing."""
    found, there = _labels(name, values)
    if found.ndim == 2 and found.shape[1] == 1:
        found, there = found[:, 0], there[:, 0]
    if found.ndim != 1 or not len(found):
        raise InvalidInput(f"{name} has shape {found.shape}; it must be (n,), one label a person")
    _check_there(name, there)
    return found


def _labels(name: str, values: Any) -> tuple[Labels, Bools]:
    """Return labels as an array, and which of them are there: neither masked nor NaN nor None."""
    found = _array(name, values)
    there: Bools = ~np.asarray(pd.isna(found), dtype=np.bool_)
    if np.ma.isMaskedArray(values):
        there &= ~np.ma.getmaskarray(values)
    return found, there


def _array(name: str, values: Any) -> Labels:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    try:
        found = np.asarray(np.ma.getdata(values) if np.ma.isMaskedArray(values) else values)
    except ValueError as error:
        raise InvalidInput(
            f"{name} has rows of different lengths; fill them up with None, or pass valid"
        ) from error
    # NumPy writes a NaN or None beside text as "nan" or "None".
    is_written = isinstance(values, list | tuple) and found.dtype.kind in "US"
    return np.asarray(values, dtype=object) if is_written else found


def _check_there(name: str, there: Bools) -> None:
    if not there.all():
        row = int(np.argwhere(~there)[0][0])
        raise InvalidInput(f"{name}, row {row}: the label is missing (NaN or None)")


def _check_comparable(name: str, labels: Labels, other: str, others: Labels) -> None:
    """Refuse to compare text with numbers, which are never equal."""
    kinds = [_is_number(labels), _is_number(others)]
    if len(others) and kinds[0] != kinds[1]:
        text, number = (name, other) if kinds[1] else (other, name)
        raise InvalidInput(f"{text} holds text and {number} numbers; give both the same labels")


def _is_number(labels: Labels) -> bool:
    if labels.dtype.kind != "O":
        return labels.dtype.kind in NUMBERS
    return all(isinstance(label, int | float | np.number | np.bool_) for label in labels.tolist())


def _weights(sample_weight: Any, n: int) -> Floats | None:
    if sample_weight is None:
        return None
    try:
        weights = _array("sample_weight", sample_weight).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("sample_weight must hold numbers") from error
    if weights.shape != (n,):
        raise InvalidInput(f"sample_weight has shape {weights.shape}; it must be ({n},)")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum():
        raise InvalidInput("sample_weight must be finite and not negative, and not 0 for everybody")
    return weights
