"""Checks of the inputs of attacks, repairs, certificates and the judge."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.problem.batching import all_finite
from rafair.problem.space import SLACK
from rafair.schema.gaps import MISSING, is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.space import PerturbationSpace

__all__ = [
    "check_classes",
    "check_problem",
    "check_rows",
    "check_step",
    "n_classes",
]

FILL = 'fill them (missing = "median"), or give a model that reads missing values itself'
NUMBERS_ALONE = f"keeps missing cells, and this model, a network, reads numbers alone; {FILL}"


def check_rows(x: Tensor, y: Tensor, counterparts: Counterparts, model: Classifier) -> None:
    """Refuse x unless it is a finite (n, d) table, and y unless it has one label for each row.

    Raises
    ------
    InvalidInput
        If x is not such a table, has no row, lies on another device than the model or lacks a
        sensitive column, or y is no int64 vector of n classes of the model. The message names the
        first wrong row and column, or the shape.
    """
    if not isinstance(x, Tensor) or x.ndim != 2 or not x.is_floating_point():
        raise InvalidInput("x must be a floating-point tensor of shape (n, d)")
    if not len(x):
        raise InvalidInput("x has no row")
    if x.device.type != model.device.type:
        raise InvalidInput(f"x lies on {x.device}, the model on {model.device}; move x there")
    if max(counterparts.columns) >= x.shape[1]:
        raise InvalidInput(
            f"sensitive column {max(counterparts.columns)} does not exist; "
            f"x has {x.shape[1]} columns"
        )
    if not all_finite(x):
        row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
        raise InvalidInput(f"x, row {row}, column {column}: {x[row, column].item()} is not finite")
    _check_missing(model, x, counterparts.missing)
    if not isinstance(y, Tensor) or y.dtype != torch.int64 or y.shape != (len(x),):
        raise InvalidInput(f"y must be an int64 tensor of shape ({len(x)},)")
    classes = n_classes(model, x)
    if bool((y < 0).any()) or bool((y >= classes).any()):
        raise InvalidInput(f"y holds labels outside 0..{classes - 1}, the model's classes")


def _check_missing(model: Classifier, x: Tensor, columns: Sequence[int]) -> None:
    """Refuse missing cells in these columns of x, (n, d), for a model with gradients.

    Raises
    ------
    InvalidInput
    """
    if model.access != "gradient" or not columns:
        return
    empty = is_missing(x[:, list(columns)]).any(dim=0).nonzero()[:, 0]
    if len(empty):
        raise InvalidInput(f"column {columns[int(empty[0])]} {NUMBERS_ALONE}")


# The number of classes of models that are asked for scores, as long as they live: every question
# may take them a while.
_KNOWN: weakref.WeakKeyDictionary[Classifier, int] = weakref.WeakKeyDictionary()


def n_classes(model: Classifier, x: Tensor) -> int:
    """Return the number of classes of a model, from its scores for the first row of x.

    A model without gradients is asked once.

    Raises
    ------
    InvalidInput
        If the model does not accept rows as wide as x, or a score is NaN or infinite.
    """
    if model in _KNOWN:
        return _KNOWN[model]
    try:
        with torch.no_grad():
            scores = model.scores(x[:1].expand(2, -1).to(model.device, model.dtype))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"the model does not accept rows of {x.shape[1]} features: {reason}"
        ) from error
    if not all_finite(scores):
        raise InvalidInput("the model returned NaN or infinity; it cannot be judged")
    if model.access != "gradient":
        _KNOWN[model] = scores.shape[1]
    return scores.shape[1]


def check_classes(model: Classifier, data: Dataset) -> None:
    """Refuse a model whose number of classes differs from the data's, or that fails on its rows.

    Raises
    ------
    InvalidInput
        If the classes differ, or the model does not read the missing cells that stay missing; see
        also ``n_classes``.
    """
    for place, feature in enumerate(data.schema.features):
        if feature.has_gaps:
            _check_read(model, data, place)
    found, expected = n_classes(model, data.test.x), len(data.schema.classes)
    found -= int(getattr(model, "may_abstain", False))  # the last class is no answer then
    if found != expected:
        raise InvalidInput(f"the model has {found} classes, the data {expected}")


def _check_read(model: Classifier, data: Dataset, place: int) -> None:
    """Refuse a model that does not read a column's missing cells."""
    feature, x = data.schema.features[place], data.test.x
    cells = is_missing(x[:, place])
    if feature.sensitive and feature.missing == "level":
        x = x[:1].clone()
        x[:, place] = MISSING
    elif not bool(cells.any()):
        return
    else:
        x = x[cells]
    if model.access == "gradient":
        raise InvalidInput(f"column {feature.name!r} {NUMBERS_ALONE}")
    try:
        model.scores(x.to(model.device, model.dtype))
    except InvalidInput as error:
        raise InvalidInput(
            f"column {feature.name!r} keeps missing cells, and {error}; {FILL}"
        ) from error


def check_problem(
    model: Classifier, x: Tensor, y: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> tuple[Tensor, Tensor]:
    """Refuse a problem that has no meaning; return the lowest and highest point of Δ, (n, d).

    Raises
    ------
    InvalidInput
        See ``check_rows``; also if Δ is for another number of columns or lets a sensitive column
        move, or x lies outside the domain in a column that may move.
    """
    check_rows(x, y, counterparts, model)
    movable = space.movable(x) if _fits(space, x) else None
    if movable is None:
        raise InvalidInput(f"Δ is not made for x's {x.shape[1]} columns")
    gaps = space.may_be_missing(x).nonzero()[:, 0]
    _check_missing(model, x, gaps.tolist())
    sensitive = [column for column in counterparts.columns if movable[column]]
    if sensitive:
        raise InvalidInput(f"Δ lets the sensitive column {sensitive[0]} move; fix it")
    low, high = space.bounds(x)
    outside = ((x < low - SLACK) | (x > high + SLACK)).nonzero()
    if len(outside):
        row, column = outside[0].tolist()
        raise InvalidInput(
            f"x, row {row}, column {column}: {x[row, column].item():g} lies outside the domain"
        )
    return low, high


def _fits(space: PerturbationSpace, x: Tensor) -> bool:
    return all(vector.ndim == 0 or vector.numel() == x.shape[1] for vector in space.vectors)


def check_step(steps: int, step_size: Tensor, width: int | None = None) -> None:
    """Refuse a negative or fractional number of steps, and a step size that has no meaning.

    Raises
    ------
    InvalidInput
        If ``steps`` is no whole number of 0 or more, or ``step_size`` is negative, not finite, or
        a vector of another length than ``width``.
    """
    check_whole("steps", steps, 0)
    if not bool(torch.isfinite(step_size).all()) or bool((step_size < 0).any()):
        raise InvalidInput("step_size must be finite and not negative")
    if width is not None and step_size.ndim and step_size.numel() != width:
        raise InvalidInput(f"step_size has {step_size.numel()} numbers for {width} features")
