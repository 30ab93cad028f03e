"""The rates of an audit as a tidy frame: one row per rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tidy"]

COLUMNS = ["varied", "stage", "attack", "rate", "value", "low", "high", "bound"]
# Stages that have rates by attack, and their key in the metrics.
STAGES = {"attacked": "attacks", "repaired": "repairs", "repairable": "repairable"}
Row: TypeAlias = "tuple[str | None, str, str | None, str, float, float, float, str | None]"


def tidy(metrics: dict[str, Any]) -> pd.DataFrame:
    """Return the rates of ``metrics`` as a frame; see ``AuditResult.to_frame``."""
    rows = [*_scope(None, metrics)]
    for attribute, rates in metrics["by_sensitive"].items():
        rows += _scope(attribute, rates)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    texts = {name: frame[name].astype(object) for name in ("varied", "attack", "bound")}
    return frame.assign(**{name: text.where(text.notna(), None) for name, text in texts.items()})


def _scope(varied: str | None, metrics: dict[str, Any]) -> Iterator[Row]:
    """Yield what was found where all sensitive attributes vary, or a single one."""
    yield from _rates(varied, "clean", None, metrics["clean"])
    for rate, ends in metrics["robust"].items():
        for bound in ("at_least", "at_most"):
            if ends[bound] is not None:
                yield (varied, "robust", None, rate, ends[bound], *ends["ci"][bound], bound)
    for stage, key in STAGES.items():
        for attack, rates in metrics.get(key, {}).items():
            yield from _rates(varied, stage, attack, rates)


def _rates(
    varied: str | None, stage: str, attack: str | None, rates: dict[str, Any]
) -> Iterator[Row]:
    for name, (low, high) in rates["ci"].items():
        yield varied, stage, attack, name, rates[name], low, high, None
