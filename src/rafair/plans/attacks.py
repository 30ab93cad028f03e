"""The attacks that a plan names, with their parameters."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rafair.attacks import Attack
    from rafair.plans.plan import Plan
    from rafair.schema import Feature, Schema

__all__ = ["families_of", "step_sizes"]


def families_of(plan: Plan, schema: Schema | None = None) -> dict[str, dict[str, Attack]]:
    """Return the attacks to run: family → variant → attack, each variant once.

    Parameters
    ----------
    schema : Schema, optional
        A schema whose features may have their own step sizes.

    Raises
    ------
    InvalidInput
        If a loss is given to an attack that has none.
    """
    from rafair.attacks.registry import variants_of

    found: dict[str, dict[str, Attack]] = {}
    for name in plan.attacks:
        attack, variants = variants_of(name)
        members = found.setdefault(attack.family, {})
        members.update({variant: _attack(plan, variant, schema) for variant in variants})
    return found


def _attack(plan: Plan, variant: str, schema: Schema | None) -> Attack:
    from rafair.attacks.registry import make_attack, variants_of

    attack, _ = variants_of(variant)
    shared: dict[str, Any] = {
        "steps": plan.steps,
        "step_size": plan.step_size if schema is None else step_sizes(plan, schema),
        "queries": plan.queries,
        "random_state": plan.random_state,
        "batch_size": plan.batch_size,
    }
    # Steps and step size give every attack its ε; not every attack also has them itself.
    known = {field.name for field in fields(attack)}  # type: ignore[arg-type]
    chosen = {name: value for name, value in shared.items() if name in known}
    if plan.loss is not None:
        chosen["loss"] = plan.loss
    return make_attack(variant, **chosen)


def step_sizes(plan: Plan, schema: Schema) -> float | list[float]:
    """Return the length of a step: one number, or one per feature where a feature has its own.

    A feature with an own ε and no own step reaches it in ``steps``. The plan's step is a share of
    the feature's bulk where that is known.
    """
    features = schema.features
    own = [
        f.movable and (f.switch or (f.epsilon, f.step, f.bulk) != (None, None, None))
        for f in features
    ]
    if plan.setting == "paper" or not any(own):
        return plan.step_size
    return [
        _step(plan, feature) if is_own else plan.step_size
        for feature, is_own in zip(features, own, strict=True)
    ]


def _step(plan: Plan, feature: Feature) -> float:
    if feature.step is not None:
        return feature.step
    if feature.epsilon is None and not feature.switch and feature.bulk is not None:
        return plan.step_size * feature.bulk_share
    radius = feature.epsilon if feature.epsilon is not None else plan.radius
    return (1.0 if feature.switch else radius) / max(plan.steps, 1)
