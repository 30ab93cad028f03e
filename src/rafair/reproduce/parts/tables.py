"""Table 3: the seeds after every attack. Table 4: the same after benign perturbations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from rafair.fairness import Rates, Verdict
from rafair.fairness.rates import rates
from rafair.report.tables import Table
from rafair.reproduce.cells.attacked import (
    WORST,
    CleanCell,
    attack_cells,
    clean,
    outcomes,
)
from rafair.reproduce.cells.repaired import repair_cells, repaired
from rafair.reproduce.document import Grid, Section, Text
from rafair.reproduce.part import AVERAGE, HEADS, Part, comparison, side_by_side, with_average
from rafair.reproduce.published import CLEAN, OTHERS, OWN, TABLE3, TABLE4, mean_error
from rafair.reproduce.readings import LAST, POOLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Setup, Study

__all__ = ["MODES", "PARTS", "attacked_rates", "repaired_rates"]

# The rate that each mode of RAFair tries to raise.
MODES = {"rafair-tb": "tbr", "rafair-ff": "ffr", "rafair-fb": "fbr"}
ZERO = (
    "True biased and false biased move a feature only where the gradients at an instance and at "
    "its counterpart differ in sign, false fair only where they agree. Where no feature does, the "
    "direction is zero and the instance stays: with all of I(v) on one side the two gradients "
    "mostly agree, and the biased modes have nothing to move."
)

READ = (
    f"Reading {POOLED.name}: {POOLED.words}; Algorithm 1, line 17, collects the instance after "
    "each step, and the predecessor of the paper samples counterparts. Reading "
    f"{LAST.name}: {LAST.words}."
)
REPAIRED = (
    f" Under {POOLED.name} every collected instance is repaired, and the repaired instances, not "
    "the steps to them, count: in the published table all other attacks have the same row, though "
    "their instances differ, so that steps on the way cannot be in it."
)
DETAILS = f"The tables below are under the reading {LAST.name}, with 95 % intervals."


def _verdicts(cache: Cache, setup: Setup) -> dict[str, Verdict]:
    """Return the rows of Table 3 for one dataset, clean seeds first."""
    found = outcomes(cache, attack_cells(setup))
    return {"clean": clean(cache, setup).verdict, **{n: o.verdict for n, o in found.items()}}


def attacked_rates(cache: Cache, setups: Mapping[str, Setup]) -> dict[str, Any]:
    """Return Table 3: dataset or ``"average"`` → row → rates."""
    tables = {name: _verdicts(cache, setup) for name, setup in setups.items()}
    return with_average(tables)


def repaired_rates(cache: Cache, setups: Mapping[str, Setup]) -> dict[str, Any]:
    """Return Table 4: dataset or ``"average"`` → row → rates.

    Each row also has ``"best"``: the R-AF after the best repair that a search finds.
    """
    tables = {name: repaired(cache, setup, attack_cells(setup)) for name, setup in setups.items()}
    found = with_average(
        {name: {row: r.verdict for row, r in table.items()} for name, table in tables.items()}
    )
    for name, table in tables.items():
        for row, r in table.items():
            found[name][row]["best"] = _share(r.found)
    for row in found[AVERAGE]:
        found[AVERAGE][row]["best"] = _share(torch.cat([t[row].found for t in tables.values()]))
    return found


def _share(found: Tensor) -> Rates:
    return rates({"r_af": found})


def _setups(study: Study) -> dict[str, Setup]:
    return {name: study.setup(name) for name in study.datasets}


def _cells3(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for setup in _setups(study).values():
        cells += [CleanCell(setup), *attack_cells(setup)]
    return [*cells, *POOLED.cells3(study)]


def _cells4(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for setup in _setups(study).values():
        attacks = attack_cells(setup)
        cells += [*attacks, *repair_cells(setup, attacks)]
    return [*cells, *POOLED.cells4(study)]


def _split(rows: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate the rows of the last iterate from those of the worst iterate."""
    last = {name: values for name, values in rows.items() if not name.endswith(WORST)}
    return last, {name: values for name, values in rows.items() if name.endswith(WORST)}


def _who(cache: Cache, name: str) -> str:
    counts = {
        dataset: len(cache.seeds(cache.study.setup(dataset)).counterparts)
        for dataset in cache.study.datasets
    }
    seeds = f"{cache.study.n_seeds} seeds"
    if name != AVERAGE:
        return f"{name}: {seeds}, {counts[name]} counterparts each"
    listed = ", ".join(f"{count} ({dataset})" for dataset, count in counts.items())
    return f"average over {len(counts)} datasets: {seeds} each; counterparts {listed}"


def _write3(cache: Cache) -> Section:
    found, pooled = attacked_rates(cache, _setups(cache.study)), POOLED.table3(cache)
    published = {"clean": CLEAN, **TABLE3}
    averages = {POOLED.name: pooled[AVERAGE], LAST.name: found[AVERAGE]}
    errors = _errors(averages, published)
    over = f"{', '.join(cache.study.datasets)}, {cache.study.n_seeds} seeds each"
    compared = side_by_side(f"Table 3, average over {over}", averages, published)
    blocks: list[Text | Grid] = [
        Text(
            "Each row is one attack on the same seeds. The row rafair is the worst of its three "
            "modes, per seed and, where every iterate counts, per iterate. Every attack moves "
            "within the same Δ and leaves sensitive columns alone: "
            f"{cache.study.steps} iterations, p = {cache.study.step_size:g}, "
            f"ε = {cache.study.radius:g}."
        ),
        Text(READ),
        Text(errors),
        Grid(compared),
        Text(DETAILS),
    ]
    for name, rows in found.items():
        last, worst = _split(rows)
        quoted = published if name == AVERAGE else {}
        who = _who(cache, name)
        folded = name != AVERAGE
        blocks.append(Grid(comparison(f"{who}; last iterate", last, quoted), folded))
        title = f"{who}; any iterate, the seed among them"
        blocks.append(Grid(comparison(title, worst, {}), folded))
    blocks += [Text(ZERO), Grid(_modes(cache, found)), Grid(_costs(cache))]
    return Section(
        "Table 3: clean seeds and seeds under attack",
        blocks,
        {**found, POOLED.name: pooled},
        replace(compared, title=f"{compared.title}. {errors}"),
    )


def _errors(
    readings: Mapping[str, Mapping[str, Any]], published: Mapping[str, Mapping[str, float]]
) -> str:
    """Say how far each reading is from the published table."""
    own, others = (
        ", ".join(
            f"{name} {mean_error(rows, published, names):.3f}" for name, rows in readings.items()
        )
        for names in (OWN, OTHERS)
    )
    return (
        f"Mean absolute error over the rows of the paper's own method: {own}; over the other "
        f"attacks: {others}."
    )


def _modes(cache: Cache, rates: Mapping[str, Any]) -> Table:
    """Return the rate of each mode before and after it, and its share of zero directions."""
    heads = ("", *cache.study.datasets)
    rows = []
    for variant, key in MODES.items():
        shown = []
        for name in cache.study.datasets:
            before, after = (rates[name][row][key] for row in ("clean", variant))
            shown.append(f"{before:.3f} → {after:.3f}; {_still_share(cache, name, variant):.0%}")
        rows.append((f"{key.upper()} under {variant}", *shown))
    return Table("The rate that each mode is after; share of zero directions", heads, rows)


def _still_share(cache: Cache, dataset: str, variant: str) -> float:
    """Return the share of seeds and steps in which no feature met a mode's condition on signs."""
    (cell,) = attack_cells(cache.study.setup(dataset), (variant,))
    return float(cache.result(cell)["still"].mean())


def _costs(cache: Cache) -> Table:
    """Return the cost of each attack: rows differentiated and rows only predicted, per seed."""
    heads = ("", *(f"{name}: {what}" for name in cache.study.datasets for what in ("∇", "f")))
    rows = []
    for place, cell in enumerate(attack_cells(cache.study.setup(cache.study.datasets[0]))):
        spent = []
        for setup in _setups(cache.study).values():
            cost = cache.result(attack_cells(setup)[place])["cost"] / cache.study.n_seeds
            spent += [f"{value:,.0f}" for value in cost.tolist()]
        rows.append((cell.variant, *spent))
    title = "Cost per seed: rows differentiated (∇) and rows only predicted (f) by the search"
    return Table(title, heads, rows)


def _write4(cache: Cache) -> Section:
    found, pooled = repaired_rates(cache, _setups(cache.study)), POOLED.table4(cache)
    averages = {POOLED.name: pooled[AVERAGE], LAST.name: found[AVERAGE]}
    errors = _errors(averages, TABLE4)
    over = f"{', '.join(cache.study.datasets)}, {cache.study.n_seeds} seeds each"
    compared = side_by_side(f"Table 4, average over {over}", averages, TABLE4)
    blocks: list[Text | Grid] = [
        Text(
            "The same instances after benign perturbations (Algorithm 2) with a Δ of their own and "
            "the known label."
        ),
        Text(READ + REPAIRED),
        Text(errors),
        Grid(compared),
        Text(
            f"{DETAILS} Their last column is the best that search finds within the same Δ: the "
            "share of instances that benign perturbations, or steps down the largest loss over "
            "I(v), bring to where everyone is decided rightly. Where it is far above R-AF the "
            "method is the limit, where it is close the model is."
        ),
    ]
    for name, rows in found.items():
        last, worst = _split(rows)
        quoted = TABLE4 if name == AVERAGE else {}
        who, folded = _who(cache, name), name != AVERAGE
        blocks.append(Grid(_with_best(f"{who}; from the last iterate", last, quoted), folded))
        blocks.append(Grid(_with_best(f"{who}; from the worst iterate", worst, {}), folded))
    return Section(
        "Table 4: after benign perturbations",
        blocks,
        {**found, POOLED.name: pooled},
        replace(compared, title=f"{compared.title}. {errors}"),
    )


def _with_best(
    title: str, rows: Mapping[str, Any], published: Mapping[str, Mapping[str, float]]
) -> Table:
    table = comparison(title, rows, published)
    best = iter(rows.values())
    shown = [
        (*row, "" if place in table.quoted else f"{next(best)['best']['r_af']:.3f}")
        for place, row in enumerate(table.rows)
    ]
    return Table(title, (*HEADS, "best R-AF found"), shown, table.groups, table.quoted)


PARTS = (Part("table3", 3, _cells3, _write3), Part("table4", 4, _cells4, _write4))
