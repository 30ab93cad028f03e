"""Benign perturbations of all attacked instances, and the best repair that a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.fairness import Verdict, judge
from rafair.fairness.verdict import TF
from rafair.repair import Benign, Minimax
from rafair.reproduce.cell import SetupCell
from rafair.reproduce.cells.attacked import outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.cells.attacked import AttackCell
    from rafair.reproduce.study import Setup

__all__ = ["RepairCell", "Repaired", "repair_cells", "repaired"]

PARTS = 4


@dataclass(frozen=True)
class RepairCell(SetupCell):
    """The repair of one part of the distinct attacked instances.

    An instance that several attacks share is repaired once. For example, the instances in RAFair's
    row are those of its modes, and a seed that is true biased before any attack is its own worst
    iterate under every attack.

    Parameters
    ----------
    attacks : tuple of AttackCell
        The attacks whose instances are repaired.
    part : int
        Repair the instances ``part``, ``part + PARTS``, ``part + 2 * PARTS``, …
    searched : bool
        Search for better repairs of those that are still broken.
    """

    attacks: tuple[AttackCell, ...]
    part: int
    searched: bool = True

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return f"repair {self.part + 1}/{PARTS}"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        sampled = 0.1 if self.setup.counterparts else 1.0
        passes = 1.7 if self.searched else 0.7
        return sampled * self.setup.steps * passes * len(self.attacks) / PARTS

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache."""
        return (*super().needs, *self.attacks)

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Repair and judge the instances, and search for better repairs of those still broken."""
        seeds = cache.seeds(self.setup)
        space = self.setup.plan.space(seeds.data.schema)
        x, y, _ = _distinct(cache, self.setup, self.attacks)
        x, y = x[self.part :: PARTS], y[self.part :: PARTS]
        if not len(x):
            nobody = torch.zeros(0, dtype=torch.bool)
            return {
                "accurate": nobody,
                "fair": nobody,
                "cells": nobody.long(),
                "found": nobody,
            }
        plan, people = self.setup.plan, seeds.counterparts
        benign = Benign(plan.step_size, plan.steps)
        mended = [
            benign.run(seeds.model, x[rows], y[rows], people, space).x_adv
            for rows in people.blocks(len(x))
        ]
        x_ben = torch.cat(mended)
        verdict = judge(seeds.model, x_ben, y, people)
        left = (verdict.cells != TF).nonzero()[:, 0]
        found = verdict.cells == TF
        if len(left) and self.searched:
            best = Minimax().run(seeds.model, x[left], y[left], people, space, x_ben[left]).x_adv
            found[left] = judge(seeds.model, best, y[left], people).cells == TF
        return {
            "accurate": verdict.accurate,
            "fair": verdict.fair,
            "cells": verdict.cells,
            "found": found,
        }


@dataclass(frozen=True, eq=False)
class Repaired:
    """A row of Table 4: the verdict after repair, and the instances that a search brings to TF.

    Without a search, ``found`` says which instances benign perturbations bring to TF.
    """

    verdict: Verdict
    found: Tensor


def repair_cells(
    setup: Setup, attacks: Sequence[AttackCell], *, searched: bool = True
) -> list[RepairCell]:
    """Return the cells that together repair the instances of these attacks."""
    return [RepairCell(setup, tuple(attacks), part, searched) for part in range(PARTS)]


def repaired(
    cache: Cache, setup: Setup, attacks: Sequence[AttackCell], *, searched: bool = True
) -> dict[str, Repaired]:
    """Return the rows of Table 4, by the names of the attacks' rows."""
    x, _, places = _distinct(cache, setup, attacks)
    joined = {
        name: torch.empty(len(x), dtype=torch.int64 if name == "cells" else torch.bool)
        for name in ("accurate", "fair", "cells", "found")
    }
    for cell in repair_cells(setup, attacks, searched=searched):
        result = cache.result(cell)
        for name, whole in joined.items():
            whole[cell.part :: PARTS] = result[name]
    verdict = Verdict(joined["accurate"], joined["fair"], joined["cells"])
    return {
        name: Repaired(verdict.take(place), joined["found"][place])
        for name, place in places.items()
    }


def _distinct(
    cache: Cache, setup: Setup, attacks: Sequence[AttackCell]
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return the distinct instances, their labels, and row → indices of its instances."""
    rows = outcomes(cache, attacks)
    y = cache.seeds(setup).y
    labelled = []
    for outcome in rows.values():
        labels = y.view(-1, *[1] * (outcome.x.ndim - 1)).to(outcome.x)
        instances = torch.cat([outcome.x, labels.expand(*outcome.x.shape[:-1], 1)], dim=-1)
        labelled.append(instances.flatten(0, -2))
    distinct, place = torch.unique(torch.cat(labelled), dim=0, return_inverse=True)
    split = place.split([len(instances) for instances in labelled])
    places = {
        name: piece.view(outcome.verdict.cells.shape)
        for (name, outcome), piece in zip(rows.items(), split, strict=True)
    }
    return distinct[:, :-1].contiguous(), distinct[:, -1].long(), places
