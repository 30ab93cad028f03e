"""What a feature's description must not say."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from rafair.errors import InvalidInput
from rafair.schema.gaps import MISSING_RULES, Missing

__all__ = ["check_feature"]


class Described(Protocol):
    """What is checked of a ``Feature``; see there."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def domain(self) -> tuple[Any, ...]: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def bulk(self) -> tuple[float, float] | None: ...
    @property
    def within(self) -> float | None: ...
    @property
    def missing(self) -> Missing: ...
    @property
    def sensitive(self) -> bool: ...
    @property
    def has_levels(self) -> bool: ...
    @property
    def low(self) -> float: ...
    @property
    def span(self) -> float: ...


def check_feature(feature: Described) -> None:
    """Refuse a feature that contradicts itself; its kind is known.

    Raises
    ------
    InvalidInput
    """
    _check_domain(feature)
    _check_columns(feature)
    _check_bulk(feature)
    _check_missing(feature)
    if feature.within is not None and feature.has_levels:
        raise InvalidInput(
            f"feature {feature.name!r}: {feature.kind} features have levels; within is for numbers"
        )
    for name in ("epsilon", "step", "within"):
        size = getattr(feature, name)
        if size is not None and not (np.isfinite(size) and size >= 0):
            raise InvalidInput(
                f"feature {feature.name!r}: {name} must be finite and not negative, not {size}"
            )


def _check_domain(feature: Described) -> None:
    if feature.has_levels and len(set(feature.domain)) != len(feature.domain):
        raise InvalidInput(f"feature {feature.name!r}: a level occurs twice in its domain")
    if feature.has_levels and not feature.domain:
        raise InvalidInput(f"feature {feature.name!r}: the domain has no level")
    if not feature.has_levels and not _is_range(feature):
        raise InvalidInput(
            f"feature {feature.name!r}: the domain must be (low, high), two finite numbers with "
            f"low <= high, not {feature.domain!r}"
        )


def _is_range(feature: Described) -> bool:
    ends = feature.domain
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        return False
    low, high = float(ends[0]), float(ends[1])
    return bool(np.isfinite([low, high, high - low]).all()) and low <= high


def _check_columns(feature: Described) -> None:
    if not feature.columns:
        return
    if not feature.has_levels or len(feature.domain) - len(feature.columns) not in (0, 1):
        raise InvalidInput(
            f"feature {feature.name!r}: {len(feature.columns)} one-hot columns need a categorical "
            f"feature of {len(feature.columns)} levels, or of one more"
        )
    if len(set(feature.columns)) != len(feature.columns):
        raise InvalidInput(f"feature {feature.name!r}: a one-hot column occurs twice")


def _check_bulk(feature: Described) -> None:
    if feature.bulk is None:
        return
    if feature.has_levels:
        raise InvalidInput(
            f"feature {feature.name!r}: {feature.kind} features have levels, no bulk"
        )
    low, high = feature.bulk
    if not feature.low <= low < high <= feature.low + feature.span:
        raise InvalidInput(
            f"feature {feature.name!r}: the bulk must be (low, high) within the range "
            f"{feature.domain[0]}..{feature.domain[1]}, with low < high, not {feature.bulk!r}"
        )


def _check_missing(feature: Described) -> None:
    if feature.missing not in MISSING_RULES:
        raise InvalidInput(
            f"feature {feature.name!r}: unknown rule {feature.missing!r} for empty cells; use one "
            f"of {', '.join(MISSING_RULES)}"
        )
    if feature.missing != "refuse" and feature.columns:
        raise InvalidInput(f"feature {feature.name!r}: its one-hot columns have no empty cells")
    if feature.missing == "level" and feature.kind != "categorical" and not feature.sensitive:
        raise InvalidInput(
            f'column {feature.name!r}: missing = "level" is for categories and sensitive columns; '
            'use "keep", for a model that reads missing values itself, or a rule that fills'
        )
