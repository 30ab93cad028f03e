"""Reads a model as a composition of trees: a library's own ensemble, or a model of models."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from rafair.models.conversion import is_from_sklearn
from rafair.trees import composers, readers
from rafair.trees.composition import leaf
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from types import ModuleType

    from rafair.trees.composition import Composition

__all__ = ["compose"]

IDLE = ("passthrough", None)


def compose(model: Any) -> Composition:
    """Read a model, of which a part may be a pipeline.

    Raises
    ------
    Unreadable
        If it, or a part of it, is no sum of trees and no monotone map of one.
    """
    steps, classifier = _split(model)
    for one in _modules(readers):
        if one.accepts(classifier):
            return leaf(one.read(classifier)).behind(steps)
    for one in _modules(composers):
        if one.accepts(classifier):
            found: Composition = one.compose(classifier, compose)
            return found.behind(steps)
    raise Unreadable(f"rafair reads no trees of a {type(classifier).__name__}")


def _split(model: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the transformers of a model, one after the other, and its classifier."""
    if is_from_sklearn(model) and hasattr(model, "best_estimator_"):
        return _split(model.best_estimator_)
    if is_from_sklearn(model) and hasattr(model, "steps"):
        *before, last = [step for _, step in model.steps if step not in IDLE]
        more, classifier = _split(last)
        return (*before, *more), classifier
    return (), model


@cache
def _modules(package: ModuleType) -> tuple[ModuleType, ...]:
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"{package.__name__}.{name}") for name in names)
