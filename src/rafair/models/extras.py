"""Optional libraries: imported on use; an error for a missing one gives the install command."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["comes_from", "need"]


def need(module: str, extra: str) -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module : str
    extra : str
        The extra of rafair that installs the library.

    Raises
    ------
    InvalidInput
        If the library is not installed; the message gives the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidInput(
            f"this needs {module.partition('.')[0]}, which is not installed: "
            f"pip install 'rafair[{extra}]'"
        ) from error


def comes_from(model: Any, library: str) -> bool:
    """Tell whether an object's class, or one of its base classes, belongs to a library.

    This does not import the library: if the object is of the library, it is imported already.
    """
    return library in sys.modules and any(
        base.__module__.partition(".")[0] == library for base in type(model).__mro__
    )
