"""Turns the text of an option into a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.engine import Engine

__all__ = [
    "check_guard",
    "check_reading",
    "directions",
    "distances",
    "engine",
    "names",
    "number_or",
]


def number_or(word: str, option: str, text: str) -> int | None:
    """Return a whole number, or None for ``word``.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    if text == word:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{option} takes a whole number or {word!r}, not {text!r}") from None


def engine(jobs: str | None, backend: str, address: str | None) -> Engine:
    """Return the engine for ``--jobs``, ``--backend`` and ``--address``.

    Without ``jobs`` it is one process, or all workers of a cluster.

    Raises
    ------
    InvalidInput
        If there is no such backend, or it does not accept the other two options.
    """
    from rafair.engine import BACKENDS, Engine

    for known in BACKENDS:
        if backend == known:
            usual = "all" if known == "ray" else "1"
            text = usual if jobs is None else jobs
            return Engine(number_or("all", "--jobs", text), known, address)
    raise InvalidInput(f"--backend takes {' or '.join(BACKENDS)}, not {backend!r}")


def check_guard(rule: str | None) -> None:
    """Refuse a word of ``--guard`` that is no rule.

    Raises
    ------
    InvalidInput
    """
    if rule is None:
        return  # what follows imports torch
    from rafair.guarding import RULES

    if rule not in RULES:
        raise InvalidInput(f"--guard takes {', '.join(RULES)}, not {rule!r}")


def check_reading(inputs: str | None, output: str | None) -> None:
    """Refuse words of ``--inputs`` and ``--output`` that no model is read by.

    Raises
    ------
    InvalidInput
    """
    if inputs is None and output is None:
        return  # what follows imports torch
    from rafair.models.inputs import INPUTS
    from rafair.models.wrapping import OUTPUTS

    if inputs is not None and inputs not in INPUTS:
        raise InvalidInput(f"--inputs takes {', '.join(INPUTS)}, not {inputs!r}")
    if output is not None and output not in OUTPUTS:
        raise InvalidInput(
            f"--output takes {', '.join(OUTPUTS)}, not {output!r}; a directory is given with --out"
        )


def names(option: str, text: str | None) -> list[str] | None:
    """Return the names in a comma-separated list; None if the option was not given.

    Raises
    ------
    InvalidInput
        If a name is empty.
    """
    if text is None:
        return None
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise InvalidInput(f"{option} takes names separated by commas, not {text!r}")
    return found


def directions(option: str, texts: list[str]) -> dict[str, str]:
    """Return a word for each name, from texts like ``income=increasing``.

    Raises
    ------
    InvalidInput
        If a text has no name or no word.
    """
    found = {}
    for text in texts:
        name, _, word = text.rpartition("=")
        if not name or not word:
            raise InvalidInput(f"{option} {text!r}: write COLUMN=increasing or COLUMN=decreasing")
        found[name] = word
    return found


def distances(option: str, texts: list[str]) -> dict[str, float]:
    """Return a number for each name, from texts like ``age=10``.

    Raises
    ------
    InvalidInput
        If a text has no name or no finite number of 0 or more.
    """
    found = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name or not 0 <= found[name] < float("inf"):
            raise InvalidInput(f"{option} {text!r}: write COLUMN=NUMBER, as age=10")
    return found
