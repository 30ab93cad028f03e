"""Checks of single values that a user gives; each refusal is one line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "check_number",
    "check_one_of",
    "check_positive",
    "check_share",
    "check_whole",
    "names_of",
]


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number between two bounds.

    Raises
    ------
    InvalidInput
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{name} must be a whole number, {least} or more, not {value!r}")
    if most is not None and value > most:
        raise InvalidInput(f"{name} must be at most {most}, not {value}")


def check_number(name: str, value: Any) -> None:
    """Refuse what is no finite number, 0 or more.

    Raises
    ------
    InvalidInput
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} must be a number, not {value!r}")
    if not math.isfinite(value) or value < 0:
        raise InvalidInput(f"{name} must be finite and not negative, not {value}")


def check_positive(name: str, value: Any) -> None:
    """Refuse what is no finite number above 0.

    Raises
    ------
    InvalidInput
    """
    check_number(name, value)
    if value == 0:
        raise InvalidInput(f"{name} must be above 0, not {value}")


def check_share(name: str, value: float) -> None:
    """Refuse what does not lie in [0, 1].

    Raises
    ------
    InvalidInput
    """
    if not 0 <= value <= 1:
        raise InvalidInput(f"{name} must lie in [0, 1], not {value!r}")


def check_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a word that is not among the known ones.

    Raises
    ------
    InvalidInput
    """
    if value not in known:
        raise InvalidInput(f"unknown {name} {value!r}; use {' or '.join(known)}")


def names_of(value: str | Iterable[object] | None) -> tuple[str, ...]:
    """Return names as text; a single text is one name, and None is no name."""
    return (value,) if isinstance(value, str) else tuple(map(str, value or ()))
