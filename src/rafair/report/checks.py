"""What ``rafair check`` shows, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.report.tables import Table

if TYPE_CHECKING:
    from rafair.auditing.checking import TableCheck

__all__ = ["features_table"]


def features_table(check: TableCheck) -> Table:
    """Return one line per feature."""
    rows: list[tuple[str, ...]] = [(f.name, f.kind, f.moves, f.domain) for f in check.features]
    return Table("Features and what may change", ("feature", "kind", "moves", "domain"), rows)
