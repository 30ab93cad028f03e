"""Appendix A.3: one true biased and one false fair instance, as vectors and in original units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rafair.analysis import explain
from rafair.fairness.verdict import FF, TB, TF
from rafair.report.tables import Table
from rafair.reproduce.cells.attacked import AttackOutcome, attack_cells
from rafair.reproduce.document import Block, Grid, Listing, Section, Text
from rafair.reproduce.part import Part

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.auditing.batches import Seeds
    from rafair.reproduce.cell import Cache
    from rafair.reproduce.cells.attacked import AttackCell
    from rafair.reproduce.study import Study

__all__ = ["PARTS"]

DATASET = "adult"
KINDS = {"rafair-tb": (TB, "true biased"), "rafair-ff": (FF, "false fair")}


def _cells(study: Study) -> list[AttackCell]:
    return attack_cells(study.setup(DATASET), tuple(KINDS))


def _write(cache: Cache) -> Section:
    seeds = cache.seeds(cache.study.setup(DATASET))
    blocks: list[Block] = [
        Text(
            "The instance that was true fair and that the smallest total change turned. Vectors "
            "are in unit space, in the order of the table's rows; sensitive features never move. "
            "Values in original units are rounded to the nearest possible one, so that a small "
            "change need not show there."
        )
    ]
    data: dict[str, Any] = {}
    clean = seeds.judge(seeds.x.unsqueeze(0)).verdict.cells
    for cell in _cells(cache.study):
        wanted, kind = KINDS[cell.variant]
        outcome = AttackOutcome.of(cache.result(cell), "last")
        turned = (clean == TF) & (outcome.verdict.cells == wanted)
        if not turned.any():
            blocks.append(Text(f"No {kind} instance among {cache.study.n_seeds} seeds."))
            continue
        effort = (outcome.x - seeds.x).abs().sum(dim=1).masked_fill(~turned, torch.inf)
        shown, found = _example(seeds, outcome.x, int(effort.argmin()), kind)
        blocks += shown
        data[kind] = found
    return Section("Appendix A.3: two instances", blocks, data)


def _example(
    seeds: Seeds, x_adv: Tensor, place: int, kind: str
) -> tuple[list[Block], dict[str, Any]]:
    schema, rows = seeds.data.schema, slice(place, place + 1)
    y = seeds.y[rows]
    why = explain(seeds.model, x_adv[rows], y, seeds.counterparts)
    index, decision = (
        (why.flip, why.flip_prediction) if int(why.flip) >= 0 else (why.worst, why.worst_prediction)
    )
    before = explain(seeds.model, seeds.x[rows], y, seeds.counterparts).prediction
    people = {
        "v": (seeds.x[rows], before),
        "v_adv": (x_adv[rows], why.prediction),
        "v'_adv": (seeds.counterparts.take(x_adv[rows], index), decision),
    }
    row = int(seeds.index[place])
    lines = [f"{kind}: test row {row}, truth {int(y)} ({schema.classes[int(y)]})"]
    lines += [f"{name:<7} {_vector(x[0])} {int(p)}" for name, (x, p) in people.items()]
    lines.append(f"{'δ':<7} {_vector(x_adv[place] - seeds.x[place])}")
    frames = [schema.decode(x).iloc[0] for x, _ in people.values()]
    rows_shown = [(name, *(str(frame[name]) for frame in frames)) for name in schema.names]
    decided = tuple(str(schema.classes[int(p)]) for _, p in people.values())
    rows_shown.append(("decision", *decided))
    table = Table(f"The {kind} instance in original units", ("", *people), rows_shown)
    found = {
        "row": row,
        "label": int(y),
        **{name: {"x": x[0].tolist(), "decision": int(p)} for name, (x, p) in people.items()},
    }
    return [Listing(tuple(lines)), Grid(table)], found


def _vector(x: Tensor) -> str:
    return "[" + ", ".join(f"{value:.2f}".replace("-0.00", "0.00") for value in x.tolist()) + "]"


PARTS = (Part("a3", 20, _cells, _write, DATASET),)
