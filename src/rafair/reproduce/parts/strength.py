"""How strong each attack is: per claim and per named cell, against what is provably possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.attacks.registry import attack_classes
from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE
from rafair.fairness import CELLS
from rafair.report.tables import CLAIMS, Table
from rafair.reproduce.cells.attacked import WORST, AttackCell, CleanCell, clean, outcomes
from rafair.reproduce.cells.certified import CertificateCell, ReachableCell
from rafair.reproduce.document import Block, Grid, Section, Text
from rafair.reproduce.part import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from rafair.certificates import Property
    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Setup, Study

__all__ = ["PARTS"]

EPSILONS = (0.01, 0.05, 0.1, 0.2)
FOLLOWING = [attack for attack in attack_classes().values() if attack.gradients]
ROWS = [row for attack in FOLLOWING for row in attack.variants]
ORDER: tuple[Property, ...] = ("accurate", "fair", "accurate_fair")
# Named cell → the rows that aim at it: the paper's mode, and the attack on the cell.
AIMED = {cell: (f"rafair-{cell.lower()}", f"cell-{cell.lower()}") for cell in ("TB", "FF", "FB")}


@dataclass(frozen=True)
class _Strength:
    """What attacks do at one ε to the seeds that they could still break or move.

    Attributes
    ----------
    impossible, possible, undecided : int
        Of the seeds that keep the claim, or lie outside the cell, before any attack: how many no
        δ in Δ breaks or moves there, how many some δ does, and how many are not decided.
    hit : dict of str to int
        Attack → how many of the possible ones it breaks or moves.
    conflicts : int
        Impossible ones that an attack broke or moved all the same, over all attacks.
    """

    impossible: int
    possible: int
    undecided: int
    hit: dict[str, int]
    conflicts: int

    @classmethod
    def of(cls, status: Tensor, before: Tensor, hits: Mapping[str, Tensor]) -> _Strength:
        """Count; ``status`` is 1 for what is possible, −1 for what is not."""
        impossible, possible = before & (status == IMPOSSIBLE), before & (status == REACHABLE)
        return cls(
            int(impossible.sum()),
            int(possible.sum()),
            int((before & (status == OPEN)).sum()),
            {row: int((hit & possible).sum()) for row, hit in hits.items()},
            sum(int((hit & impossible).sum()) for hit in hits.values()),
        )

    def share(self, row: str) -> float | None:
        """Return the strength of an attack: hit of possible."""
        return self.hit[row] / self.possible if self.possible else None

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and the shares, as JSON values."""
        return {**vars(self), "strength": {row: self.share(row) for row in self.hit}}


@dataclass(frozen=True)
class _Measured:
    """Everything about one dataset at one ε."""

    claims: dict[Property, _Strength]
    cells: dict[str, _Strength]
    gradients: dict[str, float]  # attack → rows differentiated per seed
    forwards: dict[str, float]  # attack → rows only predicted per seed

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "claims": {claim: strength.as_dict() for claim, strength in self.claims.items()},
            "cells": {cell: strength.as_dict() for cell, strength in self.cells.items()},
            "gradients": self.gradients,
            "forwards": self.forwards,
        }


def _attacks(setup: Setup, epsilon: float) -> list[AttackCell]:
    return [AttackCell(setup.reaching(epsilon), row) for row in ROWS]


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for name in study.datasets:
        cells.append(CleanCell(study.setup(name)))
        for epsilon in EPSILONS:
            setup = study.setup(name).reaching(epsilon)
            cells += [CertificateCell(setup, claim) for claim in ORDER]
            cells.append(ReachableCell(setup))
            cells += _attacks(study.setup(name), epsilon)
    return cells


def _measured(cache: Cache, setup: Setup, epsilon: float) -> _Measured:
    cells, before = _attacks(setup, epsilon), clean(cache, setup).verdict
    verdicts = {row: outcome.verdict for row, outcome in outcomes(cache, cells).items()}
    worst = {r.removesuffix(WORST): v for r, v in verdicts.items() if r.endswith(WORST)}
    claims: dict[Property, _Strength] = {}
    for claim in ORDER:
        status = -cache.result(CertificateCell(setup.reaching(epsilon), claim))["status"]
        hits = {row: verdict.breaks(claim) for row, verdict in worst.items()}
        claims[claim] = _Strength.of(status, ~before.breaks(claim), hits)
    reachable = cache.result(ReachableCell(setup.reaching(epsilon)))["status"]
    named = {}
    for cell, rows in AIMED.items():
        place = CELLS.index(cell)
        hits = {row: verdicts[row].cells == place for row in rows}
        named[cell] = _Strength.of(reachable[:, place], before.cells != place, hits)
    costs = {cell.variant: cache.result(cell)["cost"] / len(before) for cell in cells}
    return _Measured(
        claims,
        named,
        {row: float(cost[0]) for row, cost in costs.items()},
        {row: float(cost[1]) for row, cost in costs.items()},
    )


def _write(cache: Cache) -> Section:
    study = cache.study
    found = {
        name: {epsilon: _measured(cache, study.setup(name), epsilon) for epsilon in EPSILONS}
        for name in study.datasets
    }
    blocks: list[Block] = [Text(_about_claims(study))]
    blocks += [
        Grid(_claim_table(name, claim, several))
        for name, several in found.items()
        for claim in ORDER
    ]
    blocks.append(Text(ABOUT_CELLS))
    blocks += [Grid(_cell_table(name, several)) for name, several in found.items()]
    blocks += [Grid(_costs(name, several), folded=True) for name, several in found.items()]
    every = [s for several in found.values() for one in several.values() for s in _strengths(one)]
    conflicts = sum(strength.conflicts for strength in every)
    blocks.append(Text(f"Proofs that an attack contradicts: {conflicts}."))
    data = {
        name: {f"{epsilon:g}": one.as_dict() for epsilon, one in several.items()}
        for name, several in found.items()
    }
    return Section("How strong is each attack?", blocks, data, _summary(found))


def _about_claims(study: Study) -> str:
    return (
        "R-ACC, R-IF and R-AF, each for itself. Of the seeds that keep a claim before any attack, "
        "certificates say which ones some δ in Δ breaks, and which ones none does. An attack's "
        "strength is the share of the breakable ones that it breaks; any of its iterates counts. A "
        "family of several rows counts what any of them breaks. Every attack has "
        f"{study.steps} steps; those with a fixed step size take ε / {study.steps}. Only the "
        "ensemble has nothing to set. An attack that aims at one claim is measured on all three."
    )


ABOUT_CELLS = (
    "Named cells: of the seeds outside a cell, the share of those that some δ in Δ provably moves "
    "into it which an attack does move there, by its last iterate; rafair-… are the paper's modes, "
    "cell-… the attacks that aim at the cell. A person may be movable into several cells."
)


def _strengths(one: _Measured) -> Iterator[_Strength]:
    yield from one.claims.values()
    yield from one.cells.values()


def _counts(all_of: Sequence[_Strength], words: tuple[str, str]) -> list[tuple[str, ...]]:
    return [
        (words[0], *(str(s.impossible) for s in all_of)),
        ("undecided", *(str(s.undecided) for s in all_of)),
        (words[1], *(str(s.possible) for s in all_of)),
    ]


def _shares(all_of: Sequence[_Strength]) -> list[tuple[str, ...]]:
    return [(row, *(_shown(s.share(row)) for s in all_of)) for row in all_of[0].hit]


def _claim_table(name: str, claim: Property, several: Mapping[float, _Measured]) -> Table:
    all_of = [one.claims[claim] for one in several.values()]
    rows = _counts(all_of, ("proved", "provably breakable")) + _shares(all_of)
    title = f"{CLAIMS[claim]}, {name}: share of the provably breakable seeds that are broken"
    return Table(title, (name, *_heads()), rows, (3,))


def _cell_table(name: str, several: Mapping[float, _Measured]) -> Table:
    rows: list[tuple[str, ...]] = []
    groups = []
    for cell in AIMED:
        all_of = [one.cells[cell] for one in several.values()]
        groups.append(len(rows))
        rows += _counts(all_of, (f"{cell}: proved impossible", f"{cell}: provably reachable"))
        rows += _shares(all_of)
    title = f"Named cells, {name}: share of the provably reachable seeds that are moved there"
    return Table(title, (name, *_heads()), rows, tuple(groups))


def _costs(name: str, several: Mapping[float, _Measured]) -> Table:
    rows = [
        (
            row,
            *(f"{one.gradients[row]:,.0f} / {one.forwards[row]:,.0f}" for one in several.values()),
        )
        for row in ROWS
    ]
    title = f"Rows differentiated / rows only predicted per seed, {name}"
    return Table(title, (name, *_heads()), rows)


def _heads() -> tuple[str, ...]:
    return tuple(f"ε = {epsilon:g}" for epsilon in EPSILONS)


def _summary(found: Mapping[str, Mapping[float, _Measured]]) -> Table:
    """Return the strength on R-AF over all datasets together, as a table for the terminal."""
    names = next(iter(found.values()))[EPSILONS[0]].claims["accurate_fair"].hit
    rows = []
    for row in names:
        shares = []
        for epsilon in EPSILONS:
            all_of = [several[epsilon].claims["accurate_fair"] for several in found.values()]
            possible = sum(s.possible for s in all_of)
            hit = sum(s.hit[row] for s in all_of)
            shares.append(_shown(hit / possible if possible else None))
        rows.append((row, *shares))
    title = "R-AF: share of the provably breakable seeds that are broken"
    return Table(title, ("", *_heads()), rows)


def _shown(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


PARTS = (Part("strength", 50, _cells, _write, of_paper=False),)
