"""Checks of a plan's values; whatever needs torch is imported where it is asked."""

from __future__ import annotations

from rafair.checks import check_one_of, check_whole
from rafair.errors import InvalidInput

__all__ = ["check_attacks", "check_batch_size", "check_loss", "check_setting", "check_switch"]

LARGEST_BATCH = 2**31 - 1


def check_attacks(_name: str, attacks: tuple[str, ...]) -> None:
    """Refuse an empty list, and a name that no attack has."""
    from rafair.attacks.registry import variants_of

    if not attacks:
        raise InvalidInput("no attack given; name at least one")
    for attack in attacks:
        variants_of(attack)


def check_loss(_name: str, loss: str) -> None:
    """Refuse a name that no loss has."""
    from rafair.problem import make_loss

    make_loss(loss)


def check_setting(name: str, setting: str) -> None:
    """Refuse a name that no setting has."""
    from rafair.problem.space import SETTINGS

    check_one_of(name, setting, SETTINGS)


def check_switch(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false, not {value!r}")


def check_batch_size(name: str, size: object) -> None:
    """Refuse what is neither a number of rows nor "auto"."""
    if size != "auto":
        check_whole(name, size, 1, LARGEST_BATCH)
