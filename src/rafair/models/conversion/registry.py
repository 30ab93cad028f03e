"""The conversions of scikit-learn's classes, by class name.

The conversion of a transformer takes the step and the ``Columns`` that it reads, and returns its
output columns as a ``Piecewise``. The conversion of a classifier returns the outputs of its first
layer as a ``Piecewise``, and the layers after the first.
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
    "is_from_sklearn",
    "obstacle",
    "step_names",
    "transform",
    "transformer",
]

Layers: TypeAlias = "tuple[Piecewise, list[nn.Module]]"


@dataclass(frozen=True)
class _Conversion:
    """How the steps of one class are converted.

    ``fits`` tells whether a step's settings can be converted. ``parts`` returns the steps that a
    step contains: the last part of a classifier is a classifier, all other parts are transformers.
    """

    convert: Callable[[Any, Columns], Any]
    fits: Callable[[Any], bool]
    parts: Callable[[Any], Iterable[Any]]


TRANSFORMERS: dict[str, _Conversion] = {}
CLASSIFIERS: dict[str, _Conversion] = {}


def _always(step: Any) -> bool:  # noqa: ARG001 - all settings can be converted
    return True


def _alone(step: Any) -> tuple[Any, ...]:  # noqa: ARG001 - the step contains no other step
    return ()


def transformer(
    *names: str,
    fits: Callable[[Any], bool] = _always,
    parts: Callable[[Any], Iterable[Any]] = _alone,
) -> Callable[[Callable[[Any, Columns], Piecewise]], Callable[[Any, Columns], Piecewise]]:
    """Register a conversion for scikit-learn's transformers with these class names."""

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
    """Register a conversion for scikit-learn's classifiers with these class names."""

    def register(function: Callable[[Any, Columns], Layers]) -> Callable[[Any, Columns], Layers]:
        CLASSIFIERS.update(dict.fromkeys(names, _Conversion(function, fits, parts)))
        return function

    return register


def is_from_sklearn(step: Any) -> bool:
    """Tell whether a class is scikit-learn's or skorch's own; a subclass may behave differently."""
    return type(step).__module__.partition(".")[0] in ("sklearn", "skorch")


def _found(registry: dict[str, _Conversion], step: Any) -> _Conversion | None:
    return registry.get(type(step).__name__) if is_from_sklearn(step) else None


def obstacle(step: Any, *, classifies: bool = True) -> str | None:
    """Return which part of a classifier prevents its conversion; None if none does.

    It is told from classes and settings alone; a part may still turn out not to be convertible for
    the columns that it reads.

    Parameters
    ----------
    classifies : bool
        Whether the step is a classifier, which is the last part of its own kind, or a transformer.
    """
    found = _found(CLASSIFIERS if classifies else TRANSFORMERS, step)
    library = type(step).__module__.partition(".")[0]
    name = f"{library}'s {type(step).__name__}".removeprefix("sklearn's ")
    if found is None:
        return f"rafair has no conversion of {name}"
    if not found.fits(step):
        return f"rafair has no conversion of {name} with these settings"
    *before, last = (*found.parts(step), None)
    if classifies and before:
        last = before.pop()
    reasons = [obstacle(part, classifies=False) for part in before]
    reasons += [obstacle(last)] if last is not None else []
    return next(filter(None, reasons), None)


def transform(step: Any, columns: Columns) -> Columns:
    """Return the columns that a fitted transformer returns.

    Raises
    ------
    NotConvertible
        If the step cannot be converted for the columns that it reads.
    InvalidInput
        If the step fails on the probes.
    """
    name = type(step).__name__
    found = _found(TRANSFORMERS, step)
    if found is None:
        raise NotConvertible(f"{name} cannot be converted")
    return Columns(found.convert(step, columns), columns.transformed(step), columns.blocks)


def convert(step: Any, columns: Columns) -> Layers:
    """Return the outputs of a fitted classifier's first layer as columns, and the next layers.

    Raises
    ------
    NotConvertible
        If a step cannot be converted for the columns that it reads.
    InvalidInput
        If the classifier decides several labels at once, or a step fails on the probes.
    """
    found = _found(CLASSIFIERS, step)
    if found is None:
        raise NotConvertible(f"{type(step).__name__} cannot be converted")
    layers: Layers = found.convert(step, columns)
    return layers


def step_names(step: Any) -> list[str]:
    """Return the class names of the steps in order, each once, without steps that do nothing."""
    found = _found(CLASSIFIERS, step) or _found(TRANSFORMERS, step)
    parts = list(found.parts(step)) if found is not None else []
    if not parts:
        function = getattr(getattr(step, "func", None), "__name__", None)
        return [type(step).__name__ + (f" of {function}" if function else "")]
    names = dict.fromkeys(name for part in parts for name in step_names(part))
    return [name for name in names if name != "FunctionTransformer"]
