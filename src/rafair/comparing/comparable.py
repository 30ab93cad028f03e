"""Refuses runs whose numbers cannot be set side by side, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.display import listed
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from rafair.runs import AuditResult

__all__ = ["check_comparable", "other_attacks"]

# Parameters of a plan that say what is asked, and those that say how hard an attack tries.
ASKED = {
    "setting": "Δ: setting",
    "epsilon": "Δ: ε",
    "counterparts": "I(v): sampled combinations",
    "select": "what is counted: select",
}
TRIED = ("steps", "step_size", "loss", "queries", "random_state")
# Of a feature: its part in Δ or I(v), and what it is.
FEATURE = {
    "kind": "kind",
    "unit": "unit",
    "epsilon": "ε (Δ)",
    "switch": "switch (Δ)",
    "within": "within (I(v))",
}
# Radii that differ less are the same number, computed in another way.
EQUAL = 1e-12


def check_comparable(first: AuditResult, second: AuditResult, names: tuple[str, str]) -> None:
    """Refuse two runs that differ in more than the model and the attacks.

    Parameters
    ----------
    first, second : AuditResult
    names : tuple of str
        What the user calls them.

    Raises
    ------
    InvalidInput
        The line names everything that differs.
    """
    found = list(_differences(first, second))
    if found:
        raise InvalidInput(
            f"{names[1]} cannot be compared with {names[0]}: {'; '.join(found)}; audit both on the "
            "same data with the same options"
        )


def other_attacks(first: AuditResult, second: AuditResult) -> list[str]:
    """Say in which parameters the attacks of two runs differ, one text each."""
    plans = (first.manifest["plan"], second.manifest["plan"])
    return [
        _told(name, *(plan.get(name) for plan in plans)) for name in TRIED if _differ(name, *plans)
    ]


def _differences(first: AuditResult, second: AuditResult) -> Iterator[str]:
    one, other = first.manifest, second.manifest
    if one["dataset"]["sha256"] != other["dataset"]["sha256"]:
        yield (
            f"other data (SHA-256 {other['dataset']['sha256'][:12]}…, not "
            f"{one['dataset']['sha256'][:12]}…)"
        )
    yield from _of_schemas(one["schema"], other["schema"])
    plans = (one["plan"], other["plan"])
    for name, what in ASKED.items():
        if _differ(name, *plans):
            yield _told(what, *(plan.get(name) for plan in plans))
    yield from _of_people(first.instances, second.instances)
    yield from _of_claims(one["proofs"]["why_not"], other["proofs"]["why_not"])


def _of_schemas(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name, what in {
        "sensitive": "I(v): sensitive attributes",
        "label": "label",
        "classes": "classes",
        "relations": "relations",
    }.items():
        if one[name] != other[name]:
            yield _told(what, one[name], other[name])
    names = [[feature["name"] for feature in schema["features"]] for schema in (one, other)]
    if names[0] != names[1]:
        yield _told("features", *names)
        return
    for before, now in zip(one["features"], other["features"], strict=True):
        for name, what in FEATURE.items():
            if before.get(name) != now.get(name):
                yield _told(f"{before['name']}: {what}", before.get(name), now.get(name))


def _of_people(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[str]:
    one, other = (set(table.loc[table["stage"] == "clean", "seed"]) for table in (first, second))
    if one != other:
        both = len(one & other)
        yield f"other seeds ({len(other):,} people, not {len(one):,}; {both:,} are in both)"


def _of_claims(one: str | None, other: str | None) -> Iterator[str]:
    if (one is None) != (other is None):
        yield (
            f"claims: R-ACC, R-IF and R-AF are proved in one of them and not in the other "
            f"({one or other})"
        )


def _differ(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if name == "epsilon":  # a plan always has one
        return bool(abs(one[name] - other[name]) > EQUAL)
    return bool(one.get(name) != other.get(name))


def _told(what: str, before: Any, now: Any) -> str:
    return f"{what} {_shown(now)}, not {_shown(before)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return listed(value) or "none"
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
