"""How long work tells whoever waits for it how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "silent"]

# Called with what is being done, how much of it is done, and how much there is in all.
Progress: TypeAlias = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""
