"""The parts of a reproduction, and the layout of their tables of rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.fairness import Verdict
from rafair.report.tables import Table
from rafair.reproduce.published import row_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.document import Section
    from rafair.reproduce.study import Study

__all__ = [
    "AVERAGE",
    "HEADS",
    "Part",
    "average",
    "comparison",
    "rates_of",
    "side_by_side",
    "with_average",
    "with_interval",
]

AVERAGE = "average"

HEADS = ("", "R-ACC", "R-IF", "R-AF", "TFR", "TBR", "FFR", "FBR")
KEYS = ("acc", "if", "af", "tfr", "tbr", "ffr", "fbr")


@dataclass(frozen=True)
class Part:
    """A table or a figure of a reproduction.

    Attributes
    ----------
    name : str
        Name of the part on the command line.
    place : int
        Parts appear on the page in increasing order of ``place``.
    cells : callable
        Takes the study and returns the cells to compute, in order.
    write : callable
        Takes the cache with the results of these cells and returns the section.
    dataset : str, optional
        The only dataset of the part; by default the part covers all datasets of the study.
    of_paper : bool
        Whether the part belongs to the paper's evaluation or extends it; ``all`` leaves the other
        parts out.
    """

    name: str
    place: int
    cells: Callable[[Study], Sequence[Cell]]
    write: Callable[[Cache], Section]
    dataset: str | None = None
    of_paper: bool = True


def average(verdicts: Sequence[Verdict]) -> Verdict:
    """Join the verdicts of several datasets.

    All datasets have the same number of seeds, so the rates of the result are the averages of
    their rates.
    """
    return Verdict.concat(verdicts)


def rates_of(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return the rates of each row of a table; those of clean seeds have no prefix ``r_``."""
    return {name: v.rates(robust=name != "clean") for name, v in verdicts.items()}


def with_average(tables: Mapping[str, Mapping[str, Verdict]]) -> dict[str, Any]:
    """Return the rates of the rows of each dataset, their average first."""
    rows = next(iter(tables.values()))
    joint = {row: average([table[row] for table in tables.values()]) for row in rows}
    return {AVERAGE: rates_of(joint), **{name: rates_of(t) for name, t in tables.items()}}


def with_interval(rates: Mapping[str, Any], key: str) -> str:
    """Return a rate with its 95 % interval as text."""
    low, high = rates["ci"][key]
    bounds = "–".join(f"{bound:.2f}".removeprefix("0") for bound in (low, high))
    return f"{rates[key]:.3f} ({bounds})"


def comparison(
    title: str, rates: Mapping[str, Any], published: Mapping[str, Mapping[str, float]]
) -> Table:
    """Return a table of rates with intervals; the paper's row, if any, is below ours."""
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


def side_by_side(
    title: str,
    readings: Mapping[str, Mapping[str, Any]],
    published: Mapping[str, Mapping[str, float]],
) -> Table:
    """Return the published rows under several readings, with the mean absolute error of each.

    Parameters
    ----------
    readings : mapping
        Name of a reading → row → rates.
    """
    rows: list[tuple[str, ...]] = []
    groups, quoted = [], []
    for name, paper in published.items():
        groups.append(len(rows))
        for place, (reading, found) in enumerate(readings.items()):
            figures = (f"{found[name][key]:.3f}" for key in paper)
            error = f"{row_error(found[name], paper):.3f}"
            rows.append(("" if place else name, reading, *figures, error))
        quoted.append(len(rows))
        rows.append(("paper", "", *(f"{value:.3f}" for value in paper.values()), ""))
    return Table(title, ("", "reading", *HEADS[1:], "error"), rows, tuple(groups), tuple(quoted))
