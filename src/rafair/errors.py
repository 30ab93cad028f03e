"""Every error a user can cause, each with one line that says what, where and what to do."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interrupted", "InvalidInput", "ModelFailed", "RafairError", "WorkersLost", "naming"]


class RafairError(Exception):
    """Base of all errors that rafair raises on purpose; its text is one line."""


class InvalidInput(RafairError, ValueError):  # noqa: N818 - named after the user's side of it
    """What the user gave cannot be used: the text names it, the place and the remedy."""


class ModelFailed(InvalidInput):
    """The user's model raised an exception; the text ends with its type and first line."""

    @property
    def reason(self) -> str:
        """The type and the first line of the exception."""
        return str(self).partition(": ")[2]


class Interrupted(RafairError):  # noqa: N818 - not the user's mistake
    """The user stopped a run; the text says what is left of it."""


class WorkersLost(RafairError):  # noqa: N818 - what happened
    """The processes that computed were killed from outside; the text says what may help."""


@contextlib.contextmanager
def naming(place: Any) -> Iterator[None]:
    """Put a file's name before what is wrong in it; anything but a path has none.

    Raises
    ------
    InvalidInput
    """
    try:
        yield
    except InvalidInput as error:
        if not isinstance(place, str | Path) or str(place) in str(error):
            raise
        raise InvalidInput(f"{place}: {error}") from error
