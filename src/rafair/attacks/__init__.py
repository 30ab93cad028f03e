"""Attacks: one file each, found by being here.

An attack's class is reached as ``rafair.attacks.RAFair``; adding one means adding a file with a
frozen dataclass that has the attributes and the ``run`` method of ``Attack``.
"""

from typing import Any

from rafair.attacks.base import Attack, AttackResult

__all__ = ["Attack", "AttackResult"]


def __getattr__(name: str) -> Any:
    from rafair.attacks.registry import attack_classes

    for attack in attack_classes().values():
        if attack.__name__ == name:
            return attack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
