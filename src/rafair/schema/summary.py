"""A schema as a line of text and as a table, for ``repr`` and for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.display import Table, count, listed
from rafair.schema.gaps import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema.feature import Feature, Level

__all__ = ["distance_from_own", "features_table", "in_a_line", "who_is_comparable"]

# Features that a table shows before it counts the others.
SHOWN = 25


def in_a_line(features: Sequence[Feature], label: str, classes: Sequence[Level]) -> str:
    """Return the number of features, the label with its classes, and who is sensitive."""
    sensitive = [feature.name for feature in features if feature.sensitive]
    return (
        f"{count(len(features), 'feature')}, label {listed([label])} ({listed(classes)}), "
        f"sensitive: {listed(sensitive) or 'none'}"
    )


def distance_from_own(feature: Feature) -> str:
    """Return ``within 10 years`` for a feature with ``within``."""
    return f"within {feature.within:.10g} {feature.unit}".rstrip()


def who_is_comparable(features: Sequence[Feature]) -> list[str]:
    """Return, for each sensitive feature with ``within``, a text: age within 10 years of own."""
    near = (f for f in features if f.sensitive and f.within is not None)
    return [f"{f.name} {distance_from_own(f)} of own" for f in near]


def features_table(title: str, features: Sequence[Feature]) -> Table:
    """Return a line for each of the first features: what it is, and what may vary it."""
    rows: list[tuple[str, ...]] = [
        (listed([f.name]), f.kind, _domain(f), listed([f.unit]), _role(f)) for f in features[:SHOWN]
    ]
    if len(features) > SHOWN:
        rows.append((f"… {len(features) - SHOWN} more", "", "", "", ""))
    return Table(title, ("feature", "kind", "domain", "unit", "varies in"), rows)


def _domain(feature: Feature) -> str:
    if feature.has_levels:
        gap = [LEVEL] if feature.has_gaps else []
        return listed([*feature.domain, *gap])
    low, high = feature.domain
    return f"{low:g} to {high:g}{' or missing' if feature.has_gaps else ''}"


def _role(feature: Feature) -> str:
    if feature.sensitive:
        near = "" if feature.within is None else f", {distance_from_own(feature)}"
        return f"I(v), {count(len(feature.axis), 'value')}{near}"
    return "Δ" if feature.movable else ""
