"""What a feature's description must not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rafair.errors import InvalidInput
from rafair.schema.gaps import MISSING_RULES

if TYPE_CHECKING:
    from rafair.schema.feature import Feature

__all__ = ["check_feature"]


def check_feature(feature: Feature) -> None:
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


def _check_domain(feature: Feature) -> None:
    if feature.has_levels and len(set(feature.domain)) != len(feature.domain):
        raise InvalidInput(f"feature {feature.name!r}: a level occurs twice in its domain")
    if feature.has_levels and not feature.domain:
        raise InvalidInput(f"feature {feature.name!r}: the domain has no level")
    if not feature.has_levels and not _is_range(feature):
        raise InvalidInput(
            f"feature {feature.name!r}: the domain must be (low, high), two finite numbers with "
            f"low <= high, not {feature.domain!r}"
        )


def _is_range(feature: Feature) -> bool:
    ends = feature.domain
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        return False
    low, high = float(ends[0]), float(ends[1])
    return bool(np.isfinite([low, high, high - low]).all()) and low <= high


def _check_columns(feature: Feature) -> None:
    if not feature.columns:
        return
    if not feature.has_levels or len(feature.domain) - len(feature.columns) not in (0, 1):
        raise InvalidInput(
            f"feature {feature.name!r}: {len(feature.columns)} one-hot columns need a categorical "
            f"feature of {len(feature.columns)} levels, or of one more"
        )
    if len(set(feature.columns)) != len(feature.columns):
        raise InvalidInput(f"feature {feature.name!r}: a one-hot column occurs twice")


def _check_bulk(feature: Feature) -> None:
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


def _check_missing(feature: Feature) -> None:
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
