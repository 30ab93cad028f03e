"""Certifies which cells of Table 1 the seeds can be moved into, at one ε or several."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.batches import Batch
from rafair.auditing.curves import kept_points, verdict_rows
from rafair.certificates import CellCertificate, certify_cells
from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE
from rafair.engine import Shard, Task, merged
from rafair.fairness import CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.auditing.batches import SeedRows, Seeds
    from rafair.engine import Runner
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.plans import Plan
    from rafair.schema import Schema

__all__ = ["Reach", "reachable_cells"]

# Seeds per shard.
SHARD = 32
WORDS = {REACHABLE: "reachable", IMPOSSIBLE: "impossible", OPEN: "undecided"}


@dataclass(frozen=True, eq=False)
class Reach:
    """Which cells the seeds can be moved into.

    Attributes
    ----------
    metrics : list of dict
        For each ε, cell → its rates.
    instances : DataFrame
        One row per ε, cell and seed.
    stopped : bool
        Whether time ran out; the seeds that were not done by then are undecided.
    """

    metrics: list[dict[str, Any]]
    instances: pd.DataFrame
    stopped: bool


def reachable_cells(
    seeds: Seeds,
    radii: Sequence[float],
    runner: Runner,
    cells: Sequence[str],
    condition: Lipschitz,
    *,
    end: float = math.inf,
) -> Reach:
    """Certify the cells of all seeds at every ε; see ``certify_cells`` and ``curves_of``."""
    tasks = [
        Task(f"cells-{place:06d}", rows, "cells", len(rows.y))
        for place, rows in enumerate(seeds.split(SHARD))
    ]
    question = (tuple(cells), tuple(radii), end, condition)
    shards = runner.run(partial(_reach, seeds.model, seeds.schema, seeds.plan, question), tasks)
    tensors = merged(shards)
    names = CellCertificate.__dataclass_fields__
    found = [
        CellCertificate(**{name: tensors[f"{place}.{name}"] for name in names})
        for place in range(len(radii))
    ]
    rates = [{cell: one.rates(cell) for cell in cells} for one in found]
    tables = [
        _table(seeds, radius, cell, one)
        for radius, one in zip(radii, found, strict=True)
        for cell in cells
    ]
    stopped = not all(shard.is_whole for shard in shards)
    return Reach(rates, pd.concat(tables, ignore_index=True), stopped)


def _reach(
    model: Classifier,
    schema: Schema,
    plan: Plan,
    question: tuple[tuple[str, ...], tuple[float, ...], float, Lipschitz],
    rows: SeedRows,
) -> Shard:
    """Certify some seeds at every ε."""
    cells, radii, end, condition = question
    batch = Batch.load(model, schema, plan, rows)
    tensors: dict[str, Tensor] = {}
    stopped = False
    for place, radius in enumerate(radii):
        found, space = CellCertificate.unknown(batch.x), replace(plan, epsilon=radius).space(schema)
        if time.time() < end:
            problem = (model, batch.x, batch.y, batch.counterparts, space)
            how = condition.as_dict()
            found = certify_cells(*problem, plan.max_nodes, cells=cells, **how)
        else:
            stopped = True
        tensors |= {f"{place}.{name}": tensor for name, tensor in vars(found).items()}
    return Shard(tensors, {"stopped": stopped})


def _table(seeds: Seeds, epsilon: float, cell: str, found: CellCertificate) -> pd.DataFrame:
    place = CELLS.index(cell)
    status = found.status[:, place]
    words = [WORDS[value] for value in status.tolist()]
    witness = kept_points(found.witness[:, place], status == REACHABLE)
    points = {"witness": witness, "witness_counterpart": None}
    return verdict_rows(seeds, (epsilon, cell, None), words, found.nodes[:, place], points)
