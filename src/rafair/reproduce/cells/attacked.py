"""An attack on the seeds of a dataset, judged by its last, its worst and by every iterate."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch

from rafair.attacks.registry import attack_classes, make_attack, variants_of
from rafair.auditing.batches import Batch
from rafair.fairness import Verdict, first_in_worst_cell, judge_candidates
from rafair.problem import PairTrajectory
from rafair.reproduce.cell import SetupCell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.attacks import Attack
    from rafair.auditing.batches import Seeds
    from rafair.plans.plan import Select
    from rafair.problem import AttackResult, Counterparts
    from rafair.reproduce.cell import Cache
    from rafair.reproduce.study import Setup

__all__ = [
    "POOLED",
    "WORST",
    "AttackCell",
    "AttackOutcome",
    "CleanCell",
    "attack_cells",
    "clean",
    "outcomes",
]

WORST, POOLED = "@worst", "@pooled"
# Which instances are judged, see ``Plan.select`` → the suffix of such a row's name.
READINGS: dict[Select, str] = {"last": "", "worst": WORST, "pooled": POOLED}
# The year of the paper.
PUBLISHED = 2024


@dataclass(frozen=True, eq=False)
class AttackOutcome:
    """The attacked instance of each seed, shape (n, d), unit space, and the verdict on them.

    Where every iterate counts, a seed has t instances, shape (n, t, d), and as many verdicts.
    """

    x: Tensor
    verdict: Verdict

    @classmethod
    def of(cls, found: dict[str, Tensor], reading: str) -> AttackOutcome:
        """Take one reading, ``"last"``, ``"worst"`` or ``"pooled"``, from a cell's result."""
        names = ("accurate", "fair", "cells")
        accurate, fair, cells = (found[f"{reading}_{name}"] for name in names)
        return cls(found[f"{reading}_x"], Verdict(accurate, fair, cells))

    @classmethod
    def worst(cls, outcomes: Sequence[AttackOutcome]) -> AttackOutcome:
        """Take for each seed (and iterate) its first outcome in the worst cell of its outcomes."""
        index, _ = first_in_worst_cell(torch.stack([o.verdict.cells for o in outcomes]))
        stacked = torch.stack([o.x for o in outcomes])
        x = torch.take_along_dim(stacked, index[None, ..., None], dim=0)[0]
        return cls(x, Verdict.worst([o.verdict for o in outcomes]))


@dataclass(frozen=True)
class CleanCell(SetupCell):
    """The verdict on the clean seeds."""

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return "clean"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        return 0.3

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Judge the seeds."""
        seeds = cache.seeds(self.setup)
        return _judged("last", seeds, seeds.x.unsqueeze(0), seeds.counterparts)


@dataclass(frozen=True)
class AttackCell(SetupCell):
    """One attack on the seeds of a setup.

    Parameters
    ----------
    variant : str
        The attack, as named in a row of a table.
    options : tuple of (name, value)
        Parameters of the attack that the setup does not give.
    readings : tuple of {"last", "worst", "pooled"}
        Which iterates are judged. An attack without iterates has only the last.
    judged_on_all : bool
        Judge over all of I(v), even if the attack used a sample of it.
    """

    variant: str
    options: tuple[tuple[str, str], ...] = ()
    readings: tuple[Select, ...] = ("last", "worst")
    judged_on_all: bool = False

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return self.variant

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        judged = 0.3 if self.readings == ("last",) else 0.3 * self.setup.steps
        attack, _ = variants_of(self.variant)
        searches = {"both": 1.0, "accuracy": 0.0, "fairness": 0.4}[attack.aim]
        sampled = 0.1 if self.setup.counterparts else 1.0
        return sampled * (searches * self.setup.steps + judged)

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Attack all seeds and judge the attacked instances."""
        seeds = cache.seeds(self.setup)
        attack, plan = self._attack(), self.setup.plan
        batches = [Batch.load(seeds.model, seeds.schema, plan, rows) for rows in seeds.split()]
        results = [
            attack.run(batch.model, batch.x, batch.y, seeds.counterparts, seeds.space)
            for batch in batches
        ]
        people = seeds.counterparts
        if self.judged_on_all:
            people = cache.seeds(replace(self.setup, counterparts=None)).counterparts

        found: dict[str, Tensor] = {}
        for reading in self.readings:
            candidates = torch.cat([_candidates(r, reading) for r in results], dim=1)
            found |= _judged(reading, seeds, candidates, people)
        found["cost"] = torch.tensor(
            [sum(r.n_gradients for r in results), sum(r.n_forwards for r in results)]
        )
        walks = [r.trajectory for r in results if isinstance(r.trajectory, PairTrajectory)]
        if len(walks) == len(results):
            still = [walk.still * walk.points.shape[1] for walk in walks]
            found["still"] = torch.stack(still).sum(dim=0) / len(seeds.y)
        return found

    def _attack(self) -> Attack:
        plan = self.setup.plan
        shared = {
            "steps": plan.steps,
            "step_size": plan.step_size,
            "random_state": plan.random_state,
        }
        attack, _ = variants_of(self.variant)
        known = {field.name for field in fields(attack)}  # type: ignore[arg-type]
        own = {name: value for name, value in shared.items() if name in known}
        return make_attack(self.variant, **own, **dict(self.options))


def _candidates(result: AttackResult, reading: Select) -> Tensor:
    """Return the instances that a reading judges, shape (c, n, d)."""
    if reading == "pooled":
        return result.pool
    if reading == "worst" and result.trajectory is not None:
        return result.trajectory.points
    return result.x_adv.unsqueeze(0)


def _judged(
    reading: Select, seeds: Seeds, candidates: Tensor, people: Counterparts
) -> dict[str, Tensor]:
    """Judge the candidates, (c, n, d), over these counterparts; ``AttackOutcome.of`` reads it."""
    judged = judge_candidates(seeds.model, candidates, seeds.y, people, "auto")
    x, verdict = judged.x, judged.verdict
    if reading == "pooled":
        x, verdict = candidates.transpose(0, 1), Verdict.pooled(judged.verdicts)
    return {
        f"{reading}_x": x,
        f"{reading}_accurate": verdict.accurate,
        f"{reading}_fair": verdict.fair,
        f"{reading}_cells": verdict.cells,
    }


def clean(cache: Cache, setup: Setup) -> AttackOutcome:
    """Return the clean seeds and the verdict on them."""
    return AttackOutcome.of(cache.result(CleanCell(setup)), "last")


def attack_cells(
    setup: Setup,
    variants: Sequence[str] = (),
    *,
    options: tuple[tuple[str, str], ...] = (),
    readings: tuple[Select, ...] = ("last", "worst"),
    judged_on_all: bool = False,
) -> list[AttackCell]:
    """Return the cells of these rows of a table.

    By default these are all attacks with gradients that were published by the paper's year.
    """
    following = (attack for attack in attack_classes().values() if attack.gradients)
    known = (attack for attack in following if attack.year <= PUBLISHED)
    rows = variants or [row for attack in known for row in attack.variants]
    return [AttackCell(setup, row, options, readings, judged_on_all) for row in rows]


def outcomes(cache: Cache, cells: Sequence[AttackCell]) -> dict[str, AttackOutcome]:
    """Return the rows of a table under every reading of the cells.

    The row of a family follows those of its variants. Rows by the worst iterate are named
    ``NAME@worst``, those by every iterate ``NAME@pooled``.
    """
    found: dict[str, AttackOutcome] = {}
    families = list(dict.fromkeys(variants_of(cell.variant)[0].family for cell in cells))
    for reading, suffix in READINGS.items():
        for family in families:
            members = [c for c in cells if variants_of(c.variant)[0].family == family]
            results = {cell.variant: cache.result(cell) for cell in members}
            if not all(f"{reading}_x" in result for result in results.values()):
                continue
            rows = {name: AttackOutcome.of(result, reading) for name, result in results.items()}
            found |= {name + suffix: outcome for name, outcome in rows.items()}
            if len(rows) > 1:
                found[family + suffix] = AttackOutcome.worst(list(rows.values()))
    return found
