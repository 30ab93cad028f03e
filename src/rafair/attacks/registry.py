"""Finds the attacks: each class with a ``family`` in this package, and what was registered."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

import rafair.attacks
from rafair.attacks.base import AIMS
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.attacks.base import Attack

__all__ = ["aim_of", "attack_classes", "family_names", "make_attack", "register", "variants_of"]

PARTS = ("family", "aim", "year", "gradients", "variants", "run")
# What the end of a variant's name says that it aims at, and what an attack with one variant does.
AIMED = {"tb": "TB", "ff": "FF", "fb": "FB", "acc": "R-ACC", "if": "R-IF", "af": "R-AF"}
AIM_RATES = {"both": "R-AF", "accuracy": "R-ACC", "fairness": "R-IF"}


# Attacks of the user's own, by family.
_registered: dict[str, type[Attack]] = {}


def register(attack: type[Attack]) -> type[Attack]:
    """Make an attack of one's own known in this process, by the name of its family.

    ``rafair.audit(..., attacks=[family])`` then runs it, and judges what it finds. May be used as
    a decorator.

    Parameters
    ----------
    attack : class
        A frozen dataclass with what ``Attack`` describes.

    Returns
    -------
    The class.

    Raises
    ------
    InvalidInput
        If it lacks a part of an attack, or its family is the name of an attack that rafair has.
    """
    lost = [name for name in PARTS if not hasattr(attack, name)]
    if lost:
        raise InvalidInput(f"{attack.__name__} has no {lost[0]}; see rafair.attacks.Attack")
    if not hasattr(attack, "__dataclass_fields__"):
        raise InvalidInput(f"{attack.__name__} is no dataclass; see rafair.attacks.Attack")
    if attack.family in _shipped():
        raise InvalidInput(f"rafair has an attack {attack.family!r}; name yours otherwise")
    _registered[attack.family] = attack
    return attack


def attack_classes() -> dict[str, type[Attack]]:
    """Return every attack class by family: with gradients first, then by aim and year."""
    known = {**_shipped(), **_registered}
    return {attack.family: attack for attack in sorted(known.values(), key=_place)}


@cache
def _shipped() -> dict[str, type[Attack]]:
    """Return the attacks in the modules of this package."""
    found: dict[str, type[Attack]] = {}
    for info in pkgutil.iter_modules(rafair.attacks.__path__, f"{rafair.attacks.__name__}."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            defined_here = isinstance(value, type) and value.__module__ == info.name
            if defined_here and isinstance(getattr(value, "family", None), str):
                found[value.family] = value
    return found


def _place(attack: type[Attack]) -> tuple[bool, int, int, str]:
    return not attack.gradients, AIMS.index(attack.aim), attack.year, attack.family


def family_names() -> tuple[str, ...]:
    """Return the families, as ``--attack`` takes them."""
    return tuple(attack_classes())


def variants_of(name: str) -> tuple[type[Attack], tuple[str, ...]]:
    """Return the class behind a family's or a variant's name, and the variants it stands for.

    Raises
    ------
    InvalidInput
        If there is no attack of this name.
    """
    for family, attack in attack_classes().items():
        if name == family:
            return attack, tuple(attack.variants)
        if name in attack.variants:
            return attack, (name,)
    known = [
        row for attack in attack_classes().values() for row in (attack.family, *attack.variants)
    ]
    raise InvalidInput(f"unknown attack {name!r}; use one of {', '.join(dict.fromkeys(known))}")


def aim_of(name: str) -> str:
    """Return what a row of the result tables is for: a cell of Table 1, or the rate it attacks.

    The row of a family with several variants is the worst of them: it aims at "any". Of an attack
    that this process does not know, which somebody registered elsewhere, nothing is said.
    """
    try:
        attack, variants = variants_of(name)
    except InvalidInput:
        return ""
    if len(variants) > 1:
        return "any"
    return AIMED.get(name.removeprefix(f"{attack.family}-"), AIM_RATES[attack.aim])


def make_attack(variant: str, **parameters: Any) -> Attack:
    """Return the attack of one table row with these parameters.

    Raises
    ------
    InvalidInput
        If there is no such row, or its attack lacks one of the parameters.
    """
    attack, _ = variants_of(variant)
    known = {field.name for field in fields(attack)}  # type: ignore[arg-type]
    for name in parameters:
        if name not in known:
            raise InvalidInput(f"attack {variant!r} has no parameter {name!r}")
    return attack(**{**attack.variants[variant], **parameters})
