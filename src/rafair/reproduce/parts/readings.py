"""How far each reading of Tables 3 and 4 is from the published numbers, over several trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.report.tables import Table
from rafair.reproduce.document import Block, Grid, Section, Text
from rafair.reproduce.part import AVERAGE, Part
from rafair.reproduce.parts.tables import MODES
from rafair.reproduce.published import CLEAN, OTHERS, OWN, TABLE3, TABLE4, mean_error, row_error
from rafair.reproduce.readings import READINGS
from rafair.reproduce.study import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Study

__all__ = ["PARTS"]

# The kinds of networks, and whether they are plain.
KINDS = {"shipped": False, "plain": True}
PUBLISHED = {"table3": {"clean": CLEAN, **TABLE3}, "table4": TABLE4}
# The first columns fit into a terminal.
OWN_HEADS = 5
HEADS = ("networks", "reading", "Table 3", "Table 4", "both", "others 3", "others 4")
NOTE = (
    "The error is the mean absolute difference to the published figures, averages over the "
    "datasets, in the rows of the paper's own method: clean seeds and RAFair's four in Table 3, "
    "RAFair's four in Table 4. Both: over all these figures. Others: the rows of the attacks that "
    "the paper compares with, which are stronger here than as published. In brackets the least and "
    "the largest of the trainings."
)
NETWORKS = (
    "Shipped: FCNN(6) trained as the networks of the package are, with L2 penalty, falling "
    "learning rate and averaged weights; the first training is that of the package. Plain: Adam "
    "and cross-entropy alone, 30 epochs. Every training has its own seeds and its own sample of "
    "counterparts, so that the spread is that of all three."
)


def _trainings(study: Study, *, plain: bool) -> list[Training]:
    return [Training(state, plain) for state in range(study.trainings)]


def _cells(study: Study) -> list[Cell]:
    return [
        cell
        for plain in KINDS.values()
        for reading in READINGS
        for training in _trainings(study, plain=plain)
        for cell in (*reading.cells3(study, training), *reading.cells4(study, training))
    ]


def _write(cache: Cache) -> Section:
    found = {
        kind: {
            reading.name: [
                _measured(reading.table3(cache, training), reading.table4(cache, training))
                for training in _trainings(cache.study, plain=plain)
            ]
            for reading in READINGS
        }
        for kind, plain in KINDS.items()
    }
    title = (
        f"Mean absolute error of each reading over {', '.join(cache.study.datasets)}; mean "
        f"(least–largest) of {cache.study.trainings} trainings"
    )
    errors = Table(title, HEADS, [_error_row(*entry) for entry in _entries(found)])
    own = Table(title, HEADS[:OWN_HEADS], [row[:OWN_HEADS] for row in errors.rows])
    words = "; ".join(f"{reading.name}: {reading.words}" for reading in READINGS)
    blocks: list[Block] = [
        Text(f"Two readings of the text, {words}, on two kinds of networks. {NETWORKS}"),
        Text(NOTE),
        Grid(errors),
        Grid(_each_training(found)),
        Grid(_raised(found)),
    ]
    return Section("Which reading gives the paper's numbers?", blocks, found, own)


def _measured(table3: dict[str, Any], table4: dict[str, Any]) -> dict[str, Any]:
    """Return the averages of both tables and their errors."""
    rows = {"table3": table3[AVERAGE], "table4": table4[AVERAGE]}
    errors = {
        name: {
            "own": mean_error(rows[name], published, OWN),
            "others": mean_error(rows[name], published, OTHERS),
        }
        for name, published in PUBLISHED.items()
    }
    own = [
        row_error(rows[name][row], published[row])
        for name, published in PUBLISHED.items()
        for row in OWN
        if row in published
    ]
    return {**rows, "errors": {**errors, "both": sum(own) / len(own)}}


def _entries(found: Mapping[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    return [
        (kind, reading, runs)
        for kind, readings in found.items()
        for reading, runs in readings.items()
    ]


def _numbers(run: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the errors of one training in the order of ``HEADS``."""
    errors = run["errors"]
    own = (errors[name]["own"] for name in PUBLISHED)
    return (*own, errors["both"], *(errors[name]["others"] for name in PUBLISHED))


def _error_row(kind: str, reading: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    columns = zip(*map(_numbers, runs), strict=True)
    return (kind, reading, *(_with_spread(column) for column in columns))


def _with_spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    low, high = (f"{value:.3f}".removeprefix("0") for value in (min(values), max(values)))
    return f"{mean:.3f} ({low}–{high})"


def _each_training(found: Mapping[str, Any]) -> Table:
    rows = [
        (kind, reading, str(state), *(f"{number:.3f}" for number in _numbers(run)))
        for kind, reading, runs in _entries(found)
        for state, run in enumerate(runs)
    ]
    heads = (*HEADS[:2], "training", *HEADS[2:])
    return Table("The same for each training", heads, rows)


def _raised(found: Mapping[str, Any]) -> Table:
    """Return the rate that each mode is after, clean and under the mode."""
    rows = []
    for kind, reading, runs in _entries(found):
        for state, run in enumerate(runs):
            table = run["table3"]
            shown = (
                f"{table['clean'][key]:.3f} → {table[variant][key]:.3f}"
                for variant, key in MODES.items()
            )
            rows.append((kind, reading, str(state), *shown))
    heads = (*HEADS[:2], "training", *(f"{key.upper()} of {name}" for name, key in MODES.items()))
    return Table("The rate that each mode is after: clean → under the mode, average", heads, rows)


PARTS = (Part("readings", 5, _cells, _write),)
