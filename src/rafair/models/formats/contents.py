"""What an object from a file holds, directly or not."""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["holdings", "name_of", "unchecked"]

_CONTAINERS = (dict, list, tuple, set, frozenset)
_NO_CONTENT = (type, ModuleType, FunctionType, BuiltinFunctionType)


def name_of(thing: Any) -> str:
    """Return the full name of an object's type."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def holdings(root: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield each object that is held, directly or not, with what it holds in plain containers.

    Garbage collection knows every reference between objects; only arrays keep theirs to themselves.
    """
    seen, todo = set[int](), [root]
    while todo:
        holder = todo.pop()
        if id(holder) not in seen:
            seen.add(id(holder))
            held = _unpacked(holder)
            yield holder, held
            todo.extend(held)


def _unpacked(holder: Any) -> list[Any]:
    found, seen, todo = [], set[int](), _referents(holder)
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, _NO_CONTENT):
            continue
        seen.add(id(thing))
        if type(thing) in _CONTAINERS or isinstance(thing, np.ndarray):
            todo.extend(_referents(thing))
        else:
            found.append(thing)
    return found


def _referents(thing: Any) -> list[Any]:
    is_array = isinstance(thing, np.ndarray) and thing.dtype.hasobject
    return [*gc.get_referents(thing), *(thing.ravel().tolist() if is_array else ())]


def unchecked(what: str, where: str) -> InvalidInput:
    """Return the error for a type that is trusted elsewhere, but not there."""
    return InvalidInput(
        f"holds {what} in {where}, where it is not checked; if you know that loading it is "
        f"harmless, allow it: --trust {what}"
    )
