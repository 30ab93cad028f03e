"""What a part of a reproduction is, and how its tables of rates look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.fairness import Verdict
from rafair.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.document import Section
    from rafair.reproduce.study import Study

__all__ = ["HEADS", "Part", "average", "comparison", "rates_of", "short_table", "with_interval"]

HEADS = ("", "R-ACC", "R-IF", "R-AF", "TFR", "TBR", "FFR", "FBR")
KEYS = ("acc", "if", "af", "tfr", "tbr", "ffr", "fbr")


@dataclass(frozen=True)
class Part:
    """A table or a figure.

    Attributes
    ----------
    name : str
        As the command line takes it.
    place : int
        Where it stands on the page.
    cells : callable
        From the study to what must be computed, in order.
    write : callable
        From the cache, where all that is there, to the section.
    dataset : str, optional
        The only dataset it is about.
    of_paper : bool
        Whether the paper has it, or asks for it: ``all`` leaves the others out.
    """

    name: str
    place: int
    cells: Callable[[Study], Sequence[Cell]]
    write: Callable[[Cache], Section]
    dataset: str | None = None
    of_paper: bool = True


def average(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict whose rates are the averages over datasets with equally many seeds."""
    return Verdict.concat(verdicts)


def rates_of(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return what JSON holds of a table: name → rates, clean seeds by their own names."""
    return {name: v.rates(robust=name != "clean") for name, v in verdicts.items()}


def with_interval(rates: Mapping[str, Any], key: str) -> str:
    """Write a rate with its 95 % interval."""
    low, high = rates["ci"][key]
    bounds = "–".join(f"{bound:.2f}".removeprefix("0") for bound in (low, high))
    return f"{rates[key]:.3f} ({bounds})"


def comparison(
    title: str, rates: Mapping[str, Any], published: Mapping[str, Mapping[str, float]]
) -> Table:
    """Return a table of rates with intervals, the paper's row, where it has one, under ours."""
    rows: list[tuple[str, ...]] = []
    quoted, groups = [], []
    for name, values in rates.items():
        prefix = "" if name == "clean" else "r_"
        keys = [key if place > 2 else prefix + key for place, key in enumerate(KEYS)]
        groups.append(len(rows))
        rows.append((name, *(with_interval(values, key) for key in keys)))
        if name in published:
            quoted.append(len(rows))
            rows.append(("paper", *(f"{published[name][key]:.3f}" for key in keys)))
    return Table(title, HEADS, rows, tuple(groups), tuple(quoted))


def short_table(title: str, rates: Mapping[str, Any]) -> Table:
    """Return the rates alone, narrow enough for a terminal."""
    rows = []
    for name, values in rates.items():
        prefix = "" if name == "clean" else "r_"
        keys = [key if place > 2 else prefix + key for place, key in enumerate(KEYS)]
        rows.append((name, *(f"{values[key]:.3f}" for key in keys)))
    return Table(title, HEADS, rows)
