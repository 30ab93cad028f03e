"""The page of a comparison: one self-contained file with every name and value escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from rafair.comparing.changed import OF_RUNS
from rafair.display import Table
from rafair.report.templating import render
from rafair.schema.gaps import LEVEL as MISSING_CELL

if TYPE_CHECKING:
    from rafair.comparing import Comparison

__all__ = ["render_comparison"]

# People that the page lists for each run; the JSON file has all of them.
LISTED = 200


def render_comparison(comparison: Comparison) -> bytes:
    """Return a comparison as an HTML file without outside references."""
    sections = [
        (
            run,
            _answer(comparison, run),
            comparison.table(run),
            comparison.table(run, attacked=True),
            _people(comparison, run),
        )
        for run in comparison.names[1:]
    ]
    return render("comparison.html.j2", comparison=comparison, sections=sections).encode()


def _answer(comparison: Comparison, run: str) -> str:
    """Return what changed in a sentence."""
    shown = [c for c in comparison.changes if c.run == run and c.attack is None]
    named = {d: [_name(c.rate) for c in shown if c.direction == d] for d in ("rose", "fell")}
    parts = [f"{', '.join(names)} {direction}" for direction, names in named.items() if names]
    told = " and ".join(parts) or "no rate of these people can be told apart from before"
    changed = int((comparison.changed["run"] == run).sum())
    return (
        f"From {comparison.names[0]} to {run}: {told}. {changed} of {comparison.n_seeds} people "
        "are decided otherwise, are in another cell, or have another verdict under every change."
    )


def _name(rate: str) -> str:
    return rate.upper().replace("_", "-")


def _people(comparison: Comparison, run: str) -> Table:
    """Return who changed: before and after, and the person in original units."""
    rows = comparison.changed[comparison.changed["run"] == run]
    persons = [name for name in rows if str(name).startswith("person_")]
    whole = [name for name in ("row", "seed") if name in rows][:1]
    heads = (*whole, "label", *OF_RUNS, *(str(name).removeprefix("person_") for name in persons))
    shown = rows.head(LISTED).to_dict("records")
    texts = [
        (
            *(_cell(row[name]) for name in (*whole, "label")),
            *(_step(row[f"{name}_before"], row[f"{name}_after"]) for name in OF_RUNS),
            *(_cell(row[name]) for name in persons),
        )
        for row in shown
    ]
    more = f"; the first {LISTED} of {len(rows)}" if len(rows) > LISTED else ""
    return Table(f"Who changed{more}", heads, texts)


def _step(before: object, after: object) -> str:
    return _cell(after) if before == after else f"{_cell(before)} → {_cell(after)}"


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]  # a single cell
        return MISSING_CELL
    return f"{value:.6g}" if isinstance(value, float) else str(value)
