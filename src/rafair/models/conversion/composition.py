"""Steps that contain other steps: pipelines, unions, column transformers and searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rafair.models.conversion.registry import classifier, convert, transform, transformer
from rafair.models.piecewise import Piecewise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rafair.models.conversion.columns import Columns
    from rafair.models.conversion.registry import Layers

__all__ = ["behind", "beside", "best", "column_wise", "ended"]

IDLE = ("passthrough", None)


def _steps(pipeline: Any) -> list[Any]:
    return [step for _, step in pipeline.steps if step not in IDLE]


@transformer("Pipeline", parts=_steps)
def behind(step: Any, columns: Columns) -> Piecewise:
    """Convert the steps of a pipeline of transformers one after the other."""
    for part in _steps(step):
        columns = transform(part, columns)
    return columns.piecewise


@classifier("Pipeline", parts=_steps, fits=lambda step: step.steps[-1][1] not in IDLE)
def ended(step: Any, columns: Columns) -> Layers:
    """Convert the steps of a pipeline that ends in a classifier."""
    *before, last = _steps(step)
    for part in before:
        columns = transform(part, columns)
    return convert(last, columns)


@classifier(
    "GridSearchCV",
    "RandomizedSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    fits=lambda step: hasattr(step, "best_estimator_"),
    parts=lambda step: [step.best_estimator_],
)
def best(step: Any, columns: Columns) -> Layers:
    """Convert the best classifier that the search found."""
    return convert(step.best_estimator_, columns)


def _members(union: Any) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in union.transformer_list if part != "drop"]


@transformer("FeatureUnion", parts=lambda step: [p for _, p in _members(step) if p not in IDLE])
def beside(step: Any, columns: Columns) -> Piecewise:
    """Concatenate the outputs of the members; each member reads all columns."""
    weights = step.transformer_weights or {}
    parts = [_part(part, columns, weights.get(name)) for name, part in _members(step)]
    return Piecewise.join(parts) if parts else columns.piecewise.take([])


def _blocks(step: Any) -> Iterable[tuple[str, Any, Any]]:
    """Yield each transformer of a fitted ``ColumnTransformer`` that returns columns."""
    for name, part, wanted in getattr(step, "transformers_", ()):
        if part != "drop" and not _is_empty(wanted):
            yield name, part, wanted


def _is_empty(wanted: Any) -> bool:
    """Tell whether a list or mask selects no column; its transformer is then not fitted."""
    if np.isscalar(wanted) or isinstance(wanted, slice):
        return False
    chosen = list(wanted)
    return not chosen or (isinstance(chosen[0], bool | np.bool_) and not any(chosen))


@transformer(
    "ColumnTransformer", parts=lambda step: [p for _, p, _ in _blocks(step) if p not in IDLE]
)
def column_wise(step: Any, columns: Columns) -> Piecewise:
    """Concatenate the outputs of the transformers; each reads its own columns."""
    weights = step.transformer_weights or {}
    parts = [
        _part(part, columns.take(_places(wanted, columns)), weights.get(name))
        for name, part, wanted in _blocks(step)
    ]
    return Piecewise.join(parts) if parts else columns.piecewise.take([])


def _places(wanted: Any, columns: Columns) -> list[int]:
    """Return the places of columns that are chosen by name, number, mask or slice."""
    if isinstance(wanted, slice):
        named = isinstance(wanted.start, str) or isinstance(wanted.stop, str)
    else:
        wanted = [wanted] if np.isscalar(wanted) else list(wanted)
        named = isinstance(wanted[0], str)
    places = pd.DataFrame([range(len(columns))], columns=columns.names)
    found = places.loc[:, wanted] if named else places.iloc[:, wanted]
    return [int(place) for place in found.to_numpy()[0]]


def _part(part: Any, columns: Columns, weight: float | None) -> Piecewise:
    done = columns.piecewise if part in IDLE else transform(part, columns).piecewise
    if weight is None:
        return done
    factor = torch.full((len(done),), float(weight), dtype=torch.float64)
    return done.scaled(factor, torch.zeros_like(factor))
