"""What an audit is asked to do, checked before anything runs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rafair.attacks.registry import make_attack, variants_of
from rafair.errors import InvalidInput
from rafair.problem import AUTO, BatchSize, Counterparts, PerturbationSpace, make_loss
from rafair.problem.space import SETTINGS
from rafair.problem.validation import check_whole

if TYPE_CHECKING:
    from rafair.attacks import Attack
    from rafair.datasets import Dataset
    from rafair.models import Access
    from rafair.problem.space import Setting
    from rafair.schema import Feature, Schema

__all__ = ["LARGEST_RANDOM_STATE", "Plan", "Select", "check_whole"]

Select: TypeAlias = Literal["last", "worst"]
LARGEST_RANDOM_STATE = 2**32 - 1
LARGEST_BATCH = 2**31 - 1
SELECTS: tuple[Select, ...] = ("last", "worst")


@dataclass(frozen=True)
class Plan:
    """The parameters of an audit; see ``rafair.audit`` for their meaning.

    ``n_seeds`` None means every test row, ``counterparts`` None all combinations, ``epsilon`` None
    ``steps * step_size``, ``loss`` None each attack's own. ``queries`` is the number of rows that
    an attack without gradients may ask about for each seed.

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
    queries: int = 5_000

    def __post_init__(self) -> None:
        if not self.attacks:
            raise InvalidInput("no attack given; name at least one")
        for name in self.attacks:
            variants_of(name)
        check_whole("seeds", self.n_seeds, 1)
        check_whole("random_state", self.random_state, 0, LARGEST_RANDOM_STATE)
        check_whole("steps", self.steps, 0)
        check_whole("queries", self.queries, 1)
        check_whole("counterparts", self.counterparts, 1)
        if self.batch_size != AUTO:
            check_whole("batch_size", self.batch_size, 1, LARGEST_BATCH)
        _number("step_size", self.step_size)
        _number("epsilon", self.radius)
        if self.loss is not None:
            make_loss(self.loss)
        _one_of("setting", self.setting, SETTINGS)
        _one_of("select", self.select, SELECTS)

    @classmethod
    def of(cls, data: Dataset, access: Access, **options: Any) -> Plan:
        """Return a plan with the attacks that a model's access allows and the data's setting.

        Parameters
        ----------
        options
            Fields of a plan; ``attacks`` and ``setting`` may be left out or None, and ``attacks``
            may be one name.
        """
        attacks = options.pop("attacks", None)
        setting = options.pop("setting", None)
        if setting is None:
            setting = "paper" if data.is_benchmark else "feasible"
        if attacks is None:
            switches = setting == "feasible" and any(f.switch for f in data.schema.features)
            # Gradients go through the levels of a category in their order; a search tries any.
            attacks = ("rafair", "square") if switches else ("rafair",)
            attacks = attacks if access == "gradient" else ("square",)
        elif isinstance(attacks, str):
            attacks = (attacks,)
        return cls(attacks=tuple(attacks), setting=setting, **options)

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

    def step_sizes(self, schema: Schema) -> float | list[float]:
        """Return the length of a step: one number, or one per feature where a feature has its own.

        A feature with an own ε and no own step reaches it in ``steps``.
        """
        features = schema.features
        own = [f.movable and (f.switch or (f.epsilon, f.step) != (None, None)) for f in features]
        if self.setting == "paper" or not any(own):
            return self.step_size
        return [
            self._step(feature) if is_own else self.step_size
            for feature, is_own in zip(features, own, strict=True)
        ]

    def _step(self, feature: Feature) -> float:
        if feature.step is not None:
            return feature.step
        radius = feature.epsilon if feature.epsilon is not None else self.radius
        return (1.0 if feature.switch else radius) / max(self.steps, 1)

    def control(self) -> Plan:
        """Return the same plan with all of the domain within reach."""
        return replace(self, epsilon=1.0, step_size=max(self.step_size, 1 / max(self.steps, 1)))

    def people(self, schema: Schema, only: str | None = None) -> Counterparts:
        """Return I(v), along one sensitive feature or all of them."""
        return Counterparts.of(
            schema, only=only, sample=self.counterparts, random_state=self.random_state
        )

    def families(self, schema: Schema | None = None) -> dict[str, dict[str, Attack]]:
        """Return the attacks to run: family → variant → attack, each variant once.

        Parameters
        ----------
        schema : Schema, optional
            Whose features may have steps of their own.

        Raises
        ------
        InvalidInput
            If a loss is given to an attack that has none.
        """
        found: dict[str, dict[str, Attack]] = {}
        for name in self.attacks:
            attack, variants = variants_of(name)
            members = found.setdefault(attack.family, {})
            members.update({variant: self._attack(variant, schema) for variant in variants})
        return found

    def _attack(self, variant: str, schema: Schema | None) -> Attack:
        attack, _ = variants_of(variant)
        shared: dict[str, Any] = {
            "steps": self.steps,
            "step_size": self.step_size if schema is None else self.step_sizes(schema),
            "queries": self.queries,
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
