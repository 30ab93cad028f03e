"""What the user allows a model file to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Permission"]


@dataclass(frozen=True)
class Permission:
    """The user's word for one file.

    Attributes
    ----------
    trust : tuple of str
        Full names of the types that a skops file may hold beyond those that skops knows.
    unsafe_pickle : bool
        Whether a file may be unpickled, which runs whatever code it holds.
    """

    trust: tuple[str, ...] = ()
    unsafe_pickle: bool = False
