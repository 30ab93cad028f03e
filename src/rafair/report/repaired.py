"""Tables of repairs and advice: those that are known, and whatever else a run's metrics hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.report.advised import advice_table, label_free_tables
from rafair.report.tables import Table, repairable_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.runs import AuditResult

__all__ = ["repair_tables"]

# Parts of the metrics that other sections show.
SHOWN = {
    "dataset", "n_seeds", "n_counterparts", "comparable", "clean", "robust", "attacks", "repairs",
    "by_sensitive", "certificates", "repairable", "guard",
    "label_free", "advice",
}  # fmt: skip


def repair_tables(run: AuditResult) -> list[Table]:
    """Return what could be repaired, label-free repairs, advice, and whatever else there is.

    Every further part of the metrics becomes a table. A part is a mapping from names to rates, or a
    list of such rows; what is nested deeper, as intervals are, is left to ``metrics.json``.
    """
    known = repairable_table(run)
    found = [] if known is None else [known]
    found += label_free_tables(run)
    if (advice := advice_table(run)) is not None:
        found.append(advice)
    for name, part in run.metrics.items():
        if name not in SHOWN:
            found += _tables(name, part)
    return found


def _tables(name: str, part: Any) -> Iterator[Table]:
    rows = dict(enumerate(part, start=1)) if isinstance(part, list) else part
    if not isinstance(rows, dict):
        yield Table(name, ("", ""), [(name, _text(part))])
        return
    nested = {str(key): row for key, row in rows.items() if isinstance(row, dict)}
    single = [(str(key), _text(row)) for key, row in rows.items() if not _is_nested(row)]
    if single:
        yield Table(name, ("", ""), single)
    columns = dict.fromkeys(column for row in nested.values() for column in row)
    deep = {column for row in nested.values() for column in row if _is_nested(row[column])}
    heads = [column for column in columns if column not in deep]
    if heads:
        body = [(key, *(_text(row.get(head)) for head in heads)) for key, row in nested.items()]
        yield Table(name, ("", *map(str, heads)), body)


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
