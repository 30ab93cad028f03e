"""Ablations, which the paper does not have: one factor of RAFair is changed at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rafair.report.tables import Table
from rafair.reproduce.cells.attacked import (
    AttackCell,
    CleanCell,
    attack_cells,
    clean,
    outcomes,
)
from rafair.reproduce.cells.repaired import repair_cells
from rafair.reproduce.document import Block, Grid, Section, Text
from rafair.reproduce.part import AVERAGE, Part, average, comparison, rates_of
from rafair.reproduce.parts.tables import attacked_rates, repaired_rates
from rafair.reproduce.published import CLEAN, TABLE3, TABLE4
from rafair.reproduce.readings import SAMPLED

if TYPE_CHECKING:
    from rafair.problem.space import Setting
    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Setup, Study

__all__ = ["FACTORS", "PARTS", "Factor"]

HEADS = (
    "changed", "to", "clean AF", "R-ACC", "R-IF", "R-AF", "TBR of tb", "FFR of ff", "FBR of fb",
)  # fmt: skip


@dataclass(frozen=True)
class Factor:
    """One row of the table: a changed factor and its value."""

    name: str
    value: str
    options: tuple[tuple[str, str], ...] = ()
    counterparts: int | None = None
    setting: Setting = "paper"
    judged_on_all: bool = False

    def setup(self, study: Study, dataset: str) -> Setup:
        """Return the paper's setup with this change."""
        return replace(study.setup(dataset), counterparts=self.counterparts, setting=self.setting)

    def cells(self, study: Study, dataset: str) -> list[AttackCell]:
        """Return the cells of RAFair's modes with this change.

        Cells that another table also has are equal to its cells, so they are computed once.
        """
        shared = not self.options and self.setting == "paper" and not self.judged_on_all
        return attack_cells(
            self.setup(study, dataset),
            ("rafair-tb", "rafair-ff", "rafair-fb"),
            options=self.options,
            readings=("last", "worst") if shared else ("last",),
            judged_on_all=self.judged_on_all,
        )


FACTORS = (
    Factor("nothing", "as in Table 3"),
    Factor("counterparts", f"{SAMPLED} sampled", counterparts=SAMPLED),
    Factor(
        "counterparts", f"{SAMPLED} to search, all to judge", counterparts=SAMPLED,
        judged_on_all=True,
    ),
    Factor("counterpart", "kept from step 1", (("counterpart", "first"),)),
    Factor("loss", "cross-entropy", (("loss", "cross_entropy"),)),
    Factor("loss", "margin", (("loss", "margin"),)),
    Factor("zero gradient", "counterpart's sign", (("zero_gradient", "counterpart"),)),
    Factor("setting", "feasible", setting="feasible"),
)  # fmt: skip


def _sampled(study: Study) -> dict[str, Setup]:
    return {name: replace(study.setup(name), counterparts=SAMPLED) for name in study.datasets}


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for factor in FACTORS:
        for name in study.datasets:
            cells += [CleanCell(factor.setup(study, name)), *factor.cells(study, name)]
    for setup in _sampled(study).values():
        attacks = attack_cells(setup)
        cells += [*attacks, *repair_cells(setup, attacks)]
    return cells


def _write(cache: Cache) -> Section:
    found = [(factor, _rates(cache, factor)) for factor in FACTORS]
    rows = [_row(factor, tables[AVERAGE]) for factor, tables in found]
    title = (
        f"RAFair, the worst of its modes per seed, and what each mode is after; average over "
        f"{len(cache.study.datasets)} datasets, {cache.study.n_seeds} seeds each, last iterate"
    )
    note = (
        f"One factor is changed at a time. With {SAMPLED} sampled counterparts, the predecessor's "
        "practice, both the search and the judge see no one else: models look fairer than they "
        "are, and more can be repaired."
    )
    blocks: list[Block] = [Text(note), Grid(Table(title, HEADS, rows))]
    for name in cache.study.datasets:
        by_factor = [_row(factor, tables[name]) for factor, tables in found]
        blocks.append(Grid(Table(f"The same on {name}", HEADS, by_factor), folded=True))
    sampled = _sampled(cache.study)
    attacked, mended = attacked_rates(cache, sampled), repaired_rates(cache, sampled)
    who = f"with {SAMPLED} sampled counterparts, average, last iterate"
    last3 = {n: v for n, v in attacked[AVERAGE].items() if "@" not in n}
    last4 = {n: v for n, v in mended[AVERAGE].items() if "@" not in n}
    blocks += [
        Grid(comparison(f"Table 3 {who}", last3, {"clean": CLEAN, **TABLE3})),
        Grid(comparison(f"Table 4 {who}", last4, TABLE4)),
    ]
    data = {
        "factors": [
            {"changed": factor.name, "to": factor.value, "rates": tables}
            for factor, tables in found
        ],
        f"table3 with {SAMPLED} counterparts": attacked,
        f"table4 with {SAMPLED} counterparts": mended,
    }
    return Section("Ablations", blocks, data)


def _rates(cache: Cache, factor: Factor) -> dict[str, Any]:
    tables = {}
    for name in cache.study.datasets:
        # If all of I(v) judges, the clean seeds are judged by all of I(v) as well.
        setup = cache.study.setup(name) if factor.judged_on_all else factor.setup(cache.study, name)
        rows = outcomes(cache, factor.cells(cache.study, name))
        last = {row: o.verdict for row, o in rows.items() if "@" not in row}
        tables[name] = {"clean": clean(cache, setup).verdict, **last}
    joint = {row: average([t[row] for t in tables.values()]) for row in tables[name]}
    return {AVERAGE: rates_of(joint), **{name: rates_of(t) for name, t in tables.items()}}


def _row(factor: Factor, rates: dict[str, Any]) -> tuple[str, ...]:
    joint = rates["rafair"]
    numbers = (
        rates["clean"]["af"],
        *(joint[key] for key in ("r_acc", "r_if", "r_af")),
        rates["rafair-tb"]["tbr"],
        rates["rafair-ff"]["ffr"],
        rates["rafair-fb"]["fbr"],
    )
    return (factor.name, factor.value, *(f"{number:.3f}" for number in numbers))


PARTS = (Part("ablations", 30, _cells, _write),)
