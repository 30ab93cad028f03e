"""Finds the training methods: every ``Method`` in a module of ``rafair.training.methods``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from rafair.checks import check_one_of
from rafair.training import methods
from rafair.training.base import Method

__all__ = ["make_method", "method_classes", "method_names"]


@cache
def method_classes() -> dict[str, type[Method]]:
    """Return every method by name."""
    found = {}
    for info in pkgutil.iter_modules(methods.__path__, f"{methods.__name__}."):
        for value in vars(importlib.import_module(info.name)).values():
            defined_here = isinstance(value, type) and value.__module__ == info.name
            if defined_here and issubclass(value, Method):
                found[value.name] = value
    return found


def method_names() -> tuple[str, ...]:
    """Return the names of the methods, as ``rafair train --method`` takes them."""
    return tuple(sorted(method_classes()))


def make_method(name: str, strength: float | None = None) -> Method:
    """Return the method of this name, with its usual strength or another.

    Raises
    ------
    InvalidInput
        If there is no such method, or the strength lies outside [0, 1].
    """
    check_one_of("method", name, method_names())
    kind = method_classes()[name]
    return kind() if strength is None else kind(strength)  # type: ignore[call-arg]
