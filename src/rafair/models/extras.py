"""Heavy libraries: imported only where one is used, and missed with the command that adds it."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["comes_from", "need"]


def need(module: str, extra: str) -> ModuleType:
    """Import a library that the core of rafair does without.

    Raises
    ------
    InvalidInput
        If it is not installed; the text gives the command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidInput(
            f"this needs {module.partition('.')[0]}, which is not installed: "
            f"pip install 'rafair[{extra}]'"
        ) from error


def comes_from(model: Any, library: str) -> bool:
    """Tell whether an object's class, or one that it inherits from, belongs to a library.

    Without importing it: who holds such an object has imported it already.
    """
    return library in sys.modules and any(
        base.__module__.partition(".")[0] == library for base in type(model).__mro__
    )
