"""The attacks, one file each; the registry finds every class here that has a ``family``.

An attack's class is reached as ``rafair.attacks.RAFair``. To add one, add a file with a frozen
dataclass that has the attributes and the ``run`` method of ``Attack``. ``GradientAscent``,
``DiscriminationSearch`` and ``QueryAttack`` are bases for new attacks of their kind.
"""

from typing import Any

from rafair.attacks.base import Attack, AttackResult

__all__ = ["Attack", "AttackResult", "register"]


def __getattr__(name: str) -> Any:
    from rafair.attacks.registry import attack_classes, register

    if name == "register":
        return register
    for attack in attack_classes().values():
        if attack.__name__ == name:
            return attack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
