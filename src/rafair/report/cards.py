"""Data cards: the source of a benchmark, what was dropped, how well its baseline performs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.datasets import benchmark, benchmark_names
from rafair.models import baseline_metrics
from rafair.report.tables import Table

if TYPE_CHECKING:
    from rafair.datasets import Dataset
    from rafair.schema import Feature

__all__ = ["card", "overview"]


def overview() -> Table:
    """Return a table with one row per benchmark."""
    rows = []
    for name in benchmark_names():
        data = benchmark(name).load()
        sizes = (len(data.train) + len(data.test), len(data.train), len(data.test))
        counts = (f"{size:,}" for size in (*sizes, len(data.schema.features)))
        sensitive = ", ".join(f"{f.name}({len(f.axis)})" for f in _sensitive(data))
        rows.append((name, *counts, sensitive, f"{baseline_metrics(name)['accuracy']:.3f}"))
    heads = ("dataset", "rows", "train", "test", "features", "sensitive(values)", "baseline")
    return Table("Embedded datasets; baseline: test accuracy of FCNN(6)", heads, rows)


def _sensitive(data: Dataset) -> list[Feature]:
    return [feature for feature in data.schema.features if feature.sensitive]


def card(name: str) -> str:
    """Return a benchmark's card as Markdown.

    Raises
    ------
    InvalidInput
        If there is no benchmark of this name.
    """
    described = benchmark(name)
    data = described.load()
    label = data.schema.label
    counts = "; ".join(
        f"{part} {len(split):,} rows, {label} = {data.schema.positive} in "
        f"{int((split.y == len(data.schema.classes) - 1).sum()):,}"
        for part, split in (("train", data.train), ("test", data.test))
    )
    sensitive = ", ".join(f"{f.name} ({len(f.axis)} values)" for f in _sensitive(data))
    dropped = [f"- {what}: {why}." for what, why in described.dropped.items()] or ["- nothing."]
    figures = baseline_metrics(name)
    lines = [
        f"# {described.title}",
        "",
        f"- Source: {described.source}",
        f"- Licence: {described.licence}",
        f"- Citation: {described.citation}",
        f"- Label: {label}, {' or '.join(map(str, data.schema.classes))}.",
        f"- Rows: {counts}. {described.split}",
        f"- Sensitive attributes: {sensitive}.",
        "",
        "## Left out",
        "",
        *dropped,
        "",
        "## Features, in the order of the unit-space columns",
        "",
        "| feature | kind | domain |",
        "|---|---|---|",
        *(f"| {f.name} | {f.kind} | {_domain(f)} |" for f in data.schema.features),
        "",
        "## Baseline FCNN(6)",
        "",
        f"On the whole test split, as `rafair train {name}` measures it:",
        "",
        "| accuracy | balanced accuracy | majority share | clean IF | clean AF |",
        "|---|---|---|---|---|",
        "| "
        + " | ".join(
            f"{figures[key]:.4f}"
            for key in ("accuracy", "balanced_accuracy", "majority_share", "if", "af")
        )
        + " |",
    ]
    if described.caveats:
        lines += ["", "## To keep in mind", "", *(f"- {caveat}" for caveat in described.caveats)]
    return "\n".join(lines)


def _domain(feature: Feature) -> str:
    if feature.has_levels:
        return ", ".join(map(str, feature.domain))
    return f"{feature.domain[0]} to {feature.domain[1]} {feature.unit}".strip()
