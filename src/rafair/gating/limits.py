"""Limits of rates: their names, and the texts that say them, such as ``r_af=0.5``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CELL_RATES", "CLEAN_RATES", "LIMITED", "ROBUST_RATES", "check_limits", "parse_limits"]

# Of the people as they are.
CLEAN_RATES = ("acc", "if", "af", "af_balanced")
# Under every change in Δ. TFR, the share of true fair, is R-AF.
ROBUST_RATES = ("r_acc", "r_if", "r_af", "r_af_balanced", "tfr")
# Under attack, where they are largest.
CELL_RATES = ("tbr", "ffr", "fbr", "r_dissent")
LIMITED = (*CLEAN_RATES, "dissent", *ROBUST_RATES, *CELL_RATES)


def parse_limits(
    option: str, texts: Sequence[str], known: Sequence[str] = LIMITED
) -> dict[str, float]:
    """Return the limit of each rate, from texts like ``r_af=0.5``; the last of a rate counts.

    Parameters
    ----------
    option : str
        What the user typed before the texts, for errors.
    texts : sequence of str
    known : sequence of str
        The rates that may be limited.

    Raises
    ------
    InvalidInput
        If a rate is unknown or its limit is no number in [0, 1].
    """
    found: dict[str, float] = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        name, number = (name, number) if sign else (text, "")
        _check_name(option, name, known)
        try:
            found[name] = float(number)
        except ValueError:
            raise InvalidInput(f"{option} {text!r}: write RATE=NUMBER, as r_af=0.5") from None
        _check_number(f"{option} {text!r}", found[name])
    return found


def check_limits(
    option: str, limits: Mapping[str, float] | None, known: Sequence[str] = LIMITED
) -> dict[str, float]:
    """Return limits that were given as numbers by rate.

    Parameters
    ----------
    option, known : see ``parse_limits``
    limits : mapping of str to float, optional

    Raises
    ------
    InvalidInput
        If a rate is unknown or its limit is no number in [0, 1].
    """
    found = dict(limits or {})
    for name, number in found.items():
        _check_name(option, name, known)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidInput(f"{option}: the bound of {name} must be a number, not {number!r}")
        _check_number(f"{option} {name}={number!r}", number)
    return found


def _check_name(option: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InvalidInput(f"{option}: unknown rate {name!r}; use one of {', '.join(known)}")


def _check_number(what: str, number: float) -> None:
    if not 0 <= number <= 1:
        raise InvalidInput(f"{what}: the bound must lie in [0, 1]")
