"""What an audit is asked to do, checked before anything runs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rafair.attacks.registry import make_attack, variants_of
from rafair.errors import InvalidInput
from rafair.problem import AUTO, BatchSize, Counterparts, PerturbationSpace, make_loss
from rafair.problem.space import SETTINGS

if TYPE_CHECKING:
    from rafair.attacks import Attack
    from rafair.problem.space import Setting
    from rafair.schema import Schema

__all__ = ["LARGEST_RANDOM_STATE", "Plan", "Select", "check_whole"]

Select: TypeAlias = Literal["last", "worst"]
LARGEST_RANDOM_STATE = 2**32 - 1
LARGEST_BATCH = 2**31 - 1
SELECTS: tuple[Select, ...] = ("last", "worst")


@dataclass(frozen=True)
class Plan:
    """The parameters of an audit; see ``rafair.audit`` for their meaning.

    ``n_seeds`` None means every test row, ``counterparts`` None all combinations, ``epsilon`` None
    ``steps * step_size``, ``loss`` None each attack's own.

    Raises
    ------
    InvalidInput
        If a name is unknown or a number is negative, not finite or not whole where it must be.
    """

    attacks: tuple[str, ...] = ("rafair",)
    n_seeds: int | None = 200
    random_state: int = 0
    steps: int = 20
    step_size: float = 0.01
    epsilon: float | None = None
    loss: str | None = None
    setting: Setting = "paper"
    select: Select = "last"
    counterparts: int | None = None
    batch_size: BatchSize = AUTO

    def __post_init__(self) -> None:
        if not self.attacks:
            raise InvalidInput("no attack given; name at least one")
        for name in self.attacks:
            variants_of(name)
        check_whole("seeds", self.n_seeds, 1)
        check_whole("random_state", self.random_state, 0, LARGEST_RANDOM_STATE)
        check_whole("steps", self.steps, 0)
        check_whole("counterparts", self.counterparts, 1)
        if self.batch_size != AUTO:
            check_whole("batch_size", self.batch_size, 1, LARGEST_BATCH)
        _number("step_size", self.step_size)
        _number("epsilon", self.radius)
        if self.loss is not None:
            make_loss(self.loss)
        _one_of("setting", self.setting, SETTINGS)
        _one_of("select", self.select, SELECTS)

    @property
    def measure(self) -> str:
        """The loss by which counterparts are compared and instances repaired."""
        return self.loss or "mse"

    @property
    def radius(self) -> float:
        """ε in unit space: as given, or as far as the steps reach."""
        return self.steps * self.step_size if self.epsilon is None else self.epsilon

    def space(self, schema: Schema) -> PerturbationSpace:
        """Return Δ."""
        return PerturbationSpace.of(schema, self.radius, self.setting)

    def people(self, schema: Schema, only: str | None = None) -> Counterparts:
        """Return I(v), along one sensitive feature or all of them."""
        return Counterparts.of(
            schema, only=only, sample=self.counterparts, random_state=self.random_state
        )

    def families(self) -> dict[str, dict[str, Attack]]:
        """Return the attacks to run: family → variant → attack, each variant once.

        Raises
        ------
        InvalidInput
            If a loss is given to an attack that has none.
        """
        found: dict[str, dict[str, Attack]] = {}
        for name in self.attacks:
            attack, variants = variants_of(name)
            members = found.setdefault(attack.family, {})
            members.update({variant: self._attack(variant) for variant in variants})
        return found

    def _attack(self, variant: str) -> Attack:
        attack, _ = variants_of(variant)
        shared: dict[str, Any] = {
            "steps": self.steps,
            "step_size": self.step_size,
            "random_state": self.random_state,
            "batch_size": self.batch_size,
        }
        # Steps and step size give every attack its ε; not every attack also has them itself.
        known = {field.name for field in fields(attack)}  # type: ignore[arg-type]
        chosen = {name: value for name, value in shared.items() if name in known}
        if self.loss is not None:
            chosen["loss"] = self.loss
        return make_attack(variant, **chosen)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON knows it, ε spelled out."""
        return {**asdict(self), "attacks": list(self.attacks), "epsilon": self.radius}


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number between two bounds; None passes.

    Raises
    ------
    InvalidInput
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{name} must be a whole number, {least} or more, not {value!r}")
    if most is not None and value > most:
        raise InvalidInput(f"{name} must be at most {most}, not {value}")


def _number(name: str, value: float | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name} must be a number, not {value!r}")
    if not math.isfinite(value) or value < 0:
        raise InvalidInput(f"{name} must be finite and not negative, not {value}")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInput(f"unknown {name} {value!r}; use {' or '.join(known)}")
