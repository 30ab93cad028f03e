"""What ``rafair check`` shows, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.report.tables import Table

if TYPE_CHECKING:
    from rafair.plans.checking import TableCheck

__all__ = ["features_table"]

WIDEST = 20


def features_table(check: TableCheck) -> Table:
    """Return one line per feature."""
    rows: list[tuple[str, ...]] = [
        (_short(f.name), f.kind, f.moves, _short(f.domain)) for f in check.features
    ]
    return Table("Features and what may change", ("feature", "kind", "moves", "domain"), rows)


def _short(text: str) -> str:
    """Return a text that leaves room for its neighbours in a terminal of 80 columns."""
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
