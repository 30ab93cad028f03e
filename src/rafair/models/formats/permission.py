"""What the user allows when a model file is read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Permission"]


@dataclass(frozen=True)
class Permission:
    """What the user allows when one model file is read.

    Attributes
    ----------
    trust : tuple of str
        Full names of the types that a skops file may hold beside those known to be harmless.
    unsafe_pickle : bool
        Whether the file may be unpickled, which runs any code that the file holds.
    """

    trust: tuple[str, ...] = ()
    unsafe_pickle: bool = False
