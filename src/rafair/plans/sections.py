"""Reads one section of a plan key by key, and refuses keys that nobody reads."""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Section"]

# Larger numbers are typing errors; TOML itself has no limit.
LARGEST = 1e300
# Number of characters of a value that a message shows.
LONGEST = 60
NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a section",
}


class Section:
    """A TOML table that is read key by key.

    Parameters
    ----------
    name : str
        Its name in messages: ``features.age``; empty for the top of the file.
    content : dict
    """

    def __init__(self, name: str, content: Any) -> None:
        self.name = name
        if not isinstance(content, dict):
            raise InvalidInput(f"[{name}] must be a section, not {_shown(content)}")
        self.content: dict[str, Any] = content
        self.known: list[str] = []

    def wrong(self, key: str, expected: str) -> InvalidInput:
        """Return the error for a key that holds something else than expected."""
        return InvalidInput(
            f"{self._place(key)} must be {expected}, not {_shown(self.content.get(key))}"
        )

    def _place(self, key: str) -> str:
        return f"[{self.name}] {key}" if self.name else key

    def take(
        self,
        key: str,
        types: type | tuple[type, ...],
        *,
        default: Any = None,
        required: bool = False,
    ) -> Any:
        """Return the value of a key, of one of these types; true and false do not count as numbers.

        Raises
        ------
        InvalidInput
            If the value has another type or is not finite, or a required key is missing.
        """
        self.known.append(key)
        allowed = types if isinstance(types, tuple) else (types,)
        if key not in self.content:
            if required:
                raise InvalidInput(f"{self._place(key)} is missing")
            return default
        value = self.content[key]
        fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
        if not fits or not _usable(value):
            names = dict.fromkeys(NAMES[kind] for kind in allowed if kind in NAMES)
            raise self.wrong(key, " or ".join(names))
        return value

    def table(self, key: str, *, required: bool = False) -> dict[str, Any]:
        """Return a section inside this one; an empty one if it is missing."""
        found: dict[str, Any] = self.take(key, dict, default={}, required=required)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self.take(key, list, default=[])
        if not all(isinstance(text, str) for text in found):
            raise self.wrong(key, "a list of texts")
        return tuple(found)

    def levels(self, key: str) -> tuple[Any, ...]:
        """Return a list of texts, numbers or truth values, all of one type."""
        found = self.take(key, list, default=[])
        if len({type(level) for level in found}) > 1 or not all(
            isinstance(level, str | int | float) and _usable(level) for level in found
        ):
            raise self.wrong(key, "a list of texts, or of numbers")
        return tuple(found)

    def numbers(self, key: str, count: int | None = None) -> tuple[float, ...]:
        """Return a list of numbers, of the length ``count`` if that is given."""
        found = self.take(key, list, default=[])
        fits = all(isinstance(n, int | float) and not isinstance(n, bool) for n in found)
        if not fits or not all(map(_usable, found)):
            raise self.wrong(key, "a list of numbers")
        if key in self.content and not found:
            raise self.wrong(key, "a list of numbers")
        if found and count is not None and len(found) != count:
            raise self.wrong(key, f"a list of {count} numbers")
        return tuple(found)

    def one_of(self, key: str, allowed: Sequence[str]) -> str | None:
        """Return the word of a key, which must be one of the allowed ones."""
        found: str | None = self.take(key, str)
        if found is not None and found not in allowed:
            raise self.wrong(key, f"one of {', '.join(allowed)}")
        return found

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Put this section's name before the text of an error raised inside the block."""
        try:
            yield
        except InvalidInput as error:
            raise InvalidInput(f"[{self.name}] {error}") from error

    def finish(self) -> None:
        """Refuse keys that nobody has read.

        Raises
        ------
        InvalidInput
            The text names the most similar known key.
        """
        for key in self.content:
            if key not in self.known:
                near = difflib.get_close_matches(key, self.known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(self.known)}"
                raise InvalidInput(f"{self._place(repr(key))} is unknown; {hint}")


def _usable(value: Any) -> bool:
    """Tell whether a value is not a number, or is one that double precision can hold."""
    return not isinstance(value, int | float) or abs(value) <= LARGEST


def _shown(value: Any) -> str:
    """Return a value as a message shows it; Python refuses to print numbers of 5,000 digits."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
