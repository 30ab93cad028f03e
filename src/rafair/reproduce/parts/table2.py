"""Table 2: the datasets and their baseline models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.models import baseline_metrics
from rafair.report.tables import Table
from rafair.reproduce.document import Grid, Section, Text
from rafair.reproduce.part import Part
from rafair.reproduce.published import TABLE2

if TYPE_CHECKING:
    from rafair.reproduce.cell import Cache

__all__ = ["PARTS"]

HEADS = ("dataset", "rows", "sensitive(values)", "|I(v)|", "accuracy", "majority", "IF", "AF")


def _write(cache: Cache) -> Section:
    rows: list[tuple[str, ...]] = []
    quoted, found = [], {}
    for name in cache.study.datasets:
        data = cache.data(name)
        sensitive = {f.name: len(f.axis) for f in data.schema.features if f.sensitive}
        people = len(cache.seeds(cache.study.setup(name)).counterparts)
        figures = baseline_metrics(name)
        size = len(data.train) + len(data.test)
        found[name] = {"rows": size, "sensitive": sensitive, "n_counterparts": people, **figures}
        listed = ", ".join(f"{column}({values})" for column, values in sensitive.items())
        shown = (f"{figures[key]:.3f}" for key in ("accuracy", "majority_share", "if", "af"))
        rows.append((name, f"{size:,}", listed, str(people), *shown))
        quoted.append(len(rows))
        paper = TABLE2[name]
        rows.append(("paper", f"{paper.rows:,}", paper.sensitive, "", "", "", "", ""))
    table = Table("Datasets and baselines FCNN(6)", HEADS, rows, quoted=tuple(quoted))
    note = (
        "Accuracy, the share of the most frequent class, IF and AF are those of the baseline on "
        "the whole test split. Values of a sensitive attribute are the observed ones; all their "
        "combinations make up I(v)."
    )
    return Section("Table 2: datasets", [Text(note), Grid(table)], found)


PARTS = (Part("table2", 2, lambda _: [], _write),)
