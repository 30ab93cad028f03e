"""The readings of Tables 3 and 4: which instances count, and how many counterparts there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rafair.attacks.registry import variants_of
from rafair.reproduce.cells.attacked import READINGS as SUFFIXES
from rafair.reproduce.cells.attacked import CleanCell, attack_cells, clean, outcomes
from rafair.reproduce.cells.repaired import repair_cells, repaired
from rafair.reproduce.part import with_average
from rafair.reproduce.published import TABLE3
from rafair.reproduce.study import SHIPPED, Training

if TYPE_CHECKING:
    from rafair.plans.plan import Select
    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.cells.attacked import AttackCell
    from rafair.reproduce.study import Setup, Study

__all__ = ["LAST", "POOLED", "READINGS", "SAMPLED", "Reading"]

# Number of counterparts that the published predecessor of the paper samples.
SAMPLED = 12
# The attacks of the published tables; the row "rafair" is made of the rows of its modes.
ATTACKS = tuple(name for name in TABLE3 if name in variants_of(name)[1])


@dataclass(frozen=True)
class Reading:
    """What the text leaves open: which instances a table counts, and which counterparts there are.

    Parameters
    ----------
    name : str
        One word, for rows of tables.
    words : str
        The same in words.
    select : {"last", "pooled"}
    counterparts : int or None
        Number of combinations of sensitive values that are sampled; None means all.
    """

    name: str
    words: str
    select: Select
    counterparts: int | None

    def setup(self, study: Study, dataset: str, training: Training = SHIPPED) -> Setup:
        """Return the setup of one dataset; every training has seeds and a sample of its own."""
        return replace(
            study.setup(dataset),
            counterparts=self.counterparts,
            training=training,
            random_state=study.random_state + training.random_state,
        )

    def attacks(self, setup: Setup) -> list[AttackCell]:
        """Return the attacks of the published tables."""
        return attack_cells(setup, ATTACKS, readings=(self.select,))

    def cells3(self, study: Study, training: Training = SHIPPED) -> list[Cell]:
        """Return the cells behind Table 3."""
        cells: list[Cell] = []
        for name in study.datasets:
            setup = self.setup(study, name, training)
            cells += [CleanCell(setup), *self.attacks(setup)]
        return cells

    def cells4(self, study: Study, training: Training = SHIPPED) -> list[Cell]:
        """Return the cells behind Table 4."""
        cells: list[Cell] = []
        for name in study.datasets:
            setup = self.setup(study, name, training)
            attacks = self.attacks(setup)
            cells += [*attacks, *repair_cells(setup, attacks, searched=False)]
        return cells

    def table3(self, cache: Cache, training: Training = SHIPPED) -> dict[str, Any]:
        """Return the rates of clean and attacked seeds: dataset or ``"average"`` → row → rates."""
        tables = {}
        for name in cache.study.datasets:
            setup = self.setup(cache.study, name, training)
            rows = outcomes(cache, self.attacks(setup)).items()
            attacked = {self._plain(row): outcome.verdict for row, outcome in rows}
            tables[name] = {"clean": clean(cache, setup).verdict, **attacked}
        return with_average(tables)

    def table4(self, cache: Cache, training: Training = SHIPPED) -> dict[str, Any]:
        """Return the rates of repaired instances, in the same form."""
        tables = {}
        for name in cache.study.datasets:
            setup = self.setup(cache.study, name, training)
            rows = repaired(cache, setup, self.attacks(setup), searched=False).items()
            tables[name] = {self._plain(row): mended.verdict for row, mended in rows}
        return with_average(tables)

    def _plain(self, row: str) -> str:
        return row.removesuffix(SUFFIXES[self.select])


POOLED = Reading("pooled", f"every iterate, {SAMPLED} sampled counterparts", "pooled", SAMPLED)
LAST = Reading("last", "last iterate, all counterparts", "last", None)
READINGS = (POOLED, LAST)
