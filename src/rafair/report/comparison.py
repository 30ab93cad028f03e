"""The page of a comparison: one self-contained file with every name and value escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.display import Table
from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED, UNDECIDED
from rafair.report.templating import render
from rafair.schema.gaps import LEVEL as MISSING_CELL

if TYPE_CHECKING:
    from rafair.comparing import Comparison

__all__ = ["render_comparison"]

# People that the page lists for each run; the JSON file has all of them.
LISTED = 200
PERSON = "person_"


@dataclass(frozen=True)
class Section:
    """What the page says about one run against the first."""

    run: str
    answer: str
    notes: list[str]
    headline: Table
    attacked: Table
    people: Table


def render_comparison(comparison: Comparison) -> bytes:
    """Return a comparison as an HTML file without outside references."""
    return render(
        "comparison.html.j2",
        comparison=comparison,
        sections=[_section(comparison, run) for run in comparison.names[1:]],
        cells=CELL_COLOURS,
        proved=PROVED,
        broken=BROKEN,
        undecided=UNDECIDED,
    ).encode()


def _section(comparison: Comparison, run: str) -> Section:
    return Section(
        run,
        _answer(comparison, run),
        [note for note in comparison.notes if note.startswith(f"{run}: ")],
        comparison.table(run),
        comparison.table(run, attacked=True),
        _people(comparison, run),
    )


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
    known = "row" if "row" in rows else "seed"
    heads = ("row", "label", "decision", "cell", "R-AF", "person")
    texts = [
        (
            _cell(row[known]),
            _cell(row["label"]),
            *(_step(row, name) for name in ("prediction", "cell", "r_af")),
            _person(row),
        )
        for row in rows.head(LISTED).to_dict("records")
    ]
    more = f"; the first {LISTED} of {len(rows)}" if len(rows) > LISTED else ""
    return Table(f"Who changed{more}", heads, texts)


def _step(row: dict[Any, Any], name: str) -> str:
    before, after = row[f"{name}_before"], row[f"{name}_after"]
    return _cell(after) if before == after else f"{_cell(before)} → {_cell(after)}"


def _person(row: dict[Any, Any]) -> str:
    values = {str(name): value for name, value in row.items() if str(name).startswith(PERSON)}
    told = (f"{name.removeprefix(PERSON)} {_cell(value)}" for name, value in values.items())
    return " · ".join(told)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return MISSING_CELL
    return f"{value:.6g}" if isinstance(value, float) else str(value)
