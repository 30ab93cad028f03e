"""Which of scikit-learn's classes can be converted, and how.

A transformer is a function from itself and ``Columns`` to the ``Piecewise`` of its own columns;
a classifier is one to the ``Piecewise`` of its first layer's outputs and the layers behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rafair.models.conversion.columns import Columns, NotConvertible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from rafair.models.piecewise import Piecewise

__all__ = [
    "classifier",
    "convert",
    "is_convertible_classifier",
    "is_convertible_transformer",
    "is_from_sklearn",
    "step_names",
    "transform",
    "transformer",
]

Layers: TypeAlias = "tuple[Piecewise, list[nn.Module]]"


@dataclass(frozen=True)
class _Conversion:
    """How a class is converted; ``fits`` tells which of its settings are, ``parts`` what it holds.

    The last of a classifier's parts is a classifier; all others are transformers.
    """

    convert: Callable[[Any, Columns], Any]
    fits: Callable[[Any], bool]
    parts: Callable[[Any], Iterable[Any]]


TRANSFORMERS: dict[str, _Conversion] = {}
CLASSIFIERS: dict[str, _Conversion] = {}


def _always(step: Any) -> bool:  # noqa: ARG001 - every setting of the class
    return True


def _alone(step: Any) -> tuple[Any, ...]:  # noqa: ARG001 - nothing but itself
    return ()


def transformer(
    *names: str,
    fits: Callable[[Any], bool] = _always,
    parts: Callable[[Any], Iterable[Any]] = _alone,
) -> Callable[[Callable[[Any, Columns], Piecewise]], Callable[[Any, Columns], Piecewise]]:
    """Register a function for transformers of scikit-learn with these class names."""

    def register(
        function: Callable[[Any, Columns], Piecewise],
    ) -> Callable[[Any, Columns], Piecewise]:
        TRANSFORMERS.update(dict.fromkeys(names, _Conversion(function, fits, parts)))
        return function

    return register


def classifier(
    *names: str,
    fits: Callable[[Any], bool] = _always,
    parts: Callable[[Any], Iterable[Any]] = _alone,
) -> Callable[[Callable[[Any, Columns], Layers]], Callable[[Any, Columns], Layers]]:
    """Register a function for classifiers of scikit-learn with these class names."""

    def register(function: Callable[[Any, Columns], Layers]) -> Callable[[Any, Columns], Layers]:
        CLASSIFIERS.update(dict.fromkeys(names, _Conversion(function, fits, parts)))
        return function

    return register


def is_from_sklearn(step: Any) -> bool:
    """Tell whether a step's own class is scikit-learn's; a subclass may do anything else."""
    return type(step).__module__.partition(".")[0] == "sklearn"


def _found(registry: dict[str, _Conversion], step: Any) -> _Conversion | None:
    return registry.get(type(step).__name__) if is_from_sklearn(step) else None


def is_convertible_transformer(step: Any) -> bool:
    """Tell by classes and settings whether a transformer and all that it holds is known."""
    found = _found(TRANSFORMERS, step)
    return (
        found is not None
        and found.fits(step)
        and all(is_convertible_transformer(part) for part in found.parts(step))
    )


def is_convertible_classifier(step: Any) -> bool:
    """Tell by classes and settings whether a fitted classifier and all that it holds is known."""
    found = _found(CLASSIFIERS, step)
    if found is None or not found.fits(step):
        return False
    parts = list(found.parts(step))
    return not parts or (
        all(is_convertible_transformer(part) for part in parts[:-1])
        and is_convertible_classifier(parts[-1])
    )


def transform(step: Any, columns: Columns) -> Columns:
    """Return the columns behind a fitted transformer.

    Raises
    ------
    NotConvertible
        If the step reads something that it cannot be written down for.
    """
    name = type(step).__name__
    found = _found(TRANSFORMERS, step)
    if found is None:
        raise NotConvertible(f"{name} cannot be converted")
    return Columns(found.convert(step, columns), columns.transformed(step), columns.blocks)


def convert(step: Any, columns: Columns) -> Layers:
    """Return a fitted classifier's first layer as columns, and the layers behind it.

    Raises
    ------
    NotConvertible
        If a step reads something that it cannot be written down for.
    InvalidInput
        If the classifier is of a kind that no scores stand for.
    """
    found = _found(CLASSIFIERS, step)
    if found is None:
        raise NotConvertible(f"{type(step).__name__} cannot be converted")
    layers: Layers = found.convert(step, columns)
    return layers


def step_names(step: Any) -> list[str]:
    """Return the class names of the steps that do something, each once, in order."""
    found = _found(CLASSIFIERS, step) or _found(TRANSFORMERS, step)
    parts = list(found.parts(step)) if found is not None else []
    if not parts:
        return [type(step).__name__]
    names = dict.fromkeys(name for part in parts for name in step_names(part))
    return [name for name in names if name != "FunctionTransformer"]
