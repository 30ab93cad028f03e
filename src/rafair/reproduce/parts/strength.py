"""How strong each attack is: the share of the provably breakable seeds that it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.attacks.registry import attack_classes
from rafair.fairness import TF
from rafair.report.tables import Table
from rafair.reproduce.cells.attacked import WORST, AttackCell, CleanCell, clean, outcomes
from rafair.reproduce.cells.certified import CertificateCell
from rafair.reproduce.document import Block, Grid, Section, Text
from rafair.reproduce.part import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Setup, Study

__all__ = ["PARTS"]

EPSILONS = (0.01, 0.05, 0.1, 0.2)
FOLLOWING = [attack for attack in attack_classes().values() if attack.gradients]
ROWS = [row for attack in FOLLOWING for row in attack.variants]


@dataclass(frozen=True)
class _Strength:
    """Counts at one ε over the seeds that are accurately fair (TF) before any attack."""

    robust: int
    breakable: int
    undecided: int
    broken: dict[str, int]  # attack → breakable seeds that it breaks
    conflicts: int  # seeds proved robust but broken, summed over attacks
    gradients: dict[str, float]  # attack → rows differentiated per seed
    forwards: dict[str, float]  # attack → rows only predicted per seed


def _attacks(setup: Setup, epsilon: float) -> list[AttackCell]:
    return [AttackCell(setup.reaching(epsilon), row) for row in ROWS]


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for name in study.datasets:
        cells.append(CleanCell(study.setup(name)))
        for epsilon in EPSILONS:
            cells.append(CertificateCell(study.setup(name).reaching(epsilon)))
            cells += _attacks(study.setup(name), epsilon)
    return cells


def _measured(cache: Cache, setup: Setup, epsilon: float) -> _Strength:
    status = cache.result(CertificateCell(setup.reaching(epsilon)))["status"]
    fine = clean(cache, setup).verdict.cells == TF
    robust, breakable = fine & (status == 1), fine & (status == -1)
    cells = _attacks(setup, epsilon)
    found = {
        row.removesuffix(WORST): outcome.verdict.cells != TF
        for row, outcome in outcomes(cache, cells).items()
        if row.endswith(WORST)
    }
    costs = {cell.variant: cache.result(cell)["cost"] / len(status) for cell in cells}
    return _Strength(
        int(robust.sum()),
        int(breakable.sum()),
        int((fine & (status == 0)).sum()),
        {row: int((broken & breakable).sum()) for row, broken in found.items()},
        sum(int((broken & robust).sum()) for broken in found.values()),
        {row: float(cost[0]) for row, cost in costs.items()},
        {row: float(cost[1]) for row, cost in costs.items()},
    )


def _write(cache: Cache) -> Section:
    study = cache.study
    found = {
        name: {epsilon: _measured(cache, study.setup(name), epsilon) for epsilon in EPSILONS}
        for name in study.datasets
    }
    blocks: list[Block] = [
        Text(
            "Of the seeds that are accurately fair before any attack, certificates say which ones "
            "some δ in Δ breaks, and which ones none does. An attack's strength is the share of "
            "the breakable ones that it breaks; any of its iterates counts. rafair is the worst of "
            f"its three modes. Every attack has {study.steps} steps of ε / {study.steps}, but for "
            "the ensemble, which has nothing to set. Attacks that aim at accuracy or fairness "
            "alone look for something else and are measured all the same."
        )
    ]
    blocks += [Grid(_table(name, strengths)) for name, strengths in found.items()]
    blocks += [Grid(_costs(name, strengths), folded=True) for name, strengths in found.items()]
    conflicts = sum(s.conflicts for strengths in found.values() for s in strengths.values())
    blocks.append(Text(f"Seeds that are proved robust and were broken all the same: {conflicts}."))
    data = {
        name: {f"{e:g}": _as_dict(strength) for e, strength in strengths.items()}
        for name, strengths in found.items()
    }
    return Section("How strong is each attack?", blocks, data, _summary(found))


def _as_dict(strength: _Strength) -> dict[str, Any]:
    shares = {row: _share(strength, row) for row in strength.broken}
    return {**vars(strength), "strength": shares}


def _share(strength: _Strength, row: str) -> float | None:
    return strength.broken[row] / strength.breakable if strength.breakable else None


def _table(name: str, strengths: dict[float, _Strength]) -> Table:
    all_of = list(strengths.values())
    rows: list[tuple[str, ...]] = [
        ("seeds that are proved robust", *(str(s.robust) for s in all_of)),
        ("undecided", *(str(s.undecided) for s in all_of)),
        ("provably breakable", *(str(s.breakable) for s in all_of)),
    ]
    names = list(all_of[0].broken)
    rows += [(row, *(_shown(_share(s, row)) for s in all_of)) for row in names]
    heads = (name, *(f"ε = {e:g}" for e in strengths))
    return Table(
        f"Share of the provably breakable seeds that are broken, {name}", heads, rows, (3,)
    )


def _costs(name: str, strengths: dict[float, _Strength]) -> Table:
    all_of = list(strengths.values())
    rows = [
        (row, *(f"{s.gradients[row]:,.0f} / {s.forwards[row]:,.0f}" for s in all_of))
        for row in all_of[0].gradients
    ]
    heads = (name, *(f"ε = {e:g}" for e in strengths))
    title = f"Rows differentiated / rows only predicted per seed, {name}"
    return Table(title, heads, rows)


def _summary(found: dict[str, dict[float, _Strength]]) -> Table:
    """Return the strength over all datasets together, as a short table for the terminal."""
    names: Sequence[str] = list(next(iter(found.values()))[EPSILONS[0]].broken)
    rows = []
    for row in names:
        shares = []
        for epsilon in EPSILONS:
            several = [strengths[epsilon] for strengths in found.values()]
            breakable = sum(s.breakable for s in several)
            broken = sum(s.broken[row] for s in several)
            shares.append(_shown(broken / breakable if breakable else None))
        rows.append((row, *shares))
    heads = ("", *(f"ε = {e:g}" for e in EPSILONS))
    return Table("Share of the provably breakable seeds that are broken", heads, rows)


def _shown(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


PARTS = (Part("strength", 50, _cells, _write, of_paper=False),)
