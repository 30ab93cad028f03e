"""Accuracy against certified R-AF over methods of robust training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.report.pareto import draw_pareto, pareto_table
from rafair.reproduce.cells.trained import ParetoCell
from rafair.reproduce.document import Block, Grid, Picture, Section, Text
from rafair.reproduce.part import Part
from rafair.training.measuring import constant_measured
from rafair.training.pareto import CONSTANT, TRAININGS, Point

if TYPE_CHECKING:
    from rafair.reproduce.cell import Cache
    from rafair.reproduce.study import Study

__all__ = ["PARTS"]

EPSILON = 0.05
ABOUT = (
    "Each model is trained on the training split, then certified on 1,000 test people drawn at "
    "random (on all, where there are fewer); whom the search for a proof leaves open is attacked "
    "(ensemble, on this very model). Accuracy is that of the whole test split, so that it can be "
    "below R-AF by the chance of the draw. A constant model is perfectly fair and robust: only "
    "what lies above it in accuracy, or beyond it in balanced R-AF, is of use; a model with its "
    "figures has become it."
)


def _cells(study: Study) -> list[ParetoCell]:
    return [
        ParetoCell(name, EPSILON, training, study.random_state if training else 0)
        for name in study.datasets
        for training in (None, *TRAININGS)
    ]


def _write(cache: Cache) -> Section:
    blocks: list[Block] = [Text(ABOUT)]
    found: dict[str, Any] = {}
    for name in cache.study.datasets:
        points = [c.point(cache) for c in _cells(cache.study) if c.dataset == name]
        constant = constant_measured(cache.data(name).test.y, points[0].figures)
        points.insert(0, Point(CONSTANT, CONSTANT, None, constant))
        blocks.append(
            Picture(f"pareto-{name}", draw_pareto(points, EPSILON), f"{name}: every model.")
        )
        blocks.append(Grid(pareto_table(points, f"{name}, ε = {EPSILON:g}")))
        found[name] = [point.as_dict() for point in points]
    return Section("Accuracy against certified R-AF", blocks, found)


PARTS = (Part("pareto", 60, _cells, _write, of_paper=False),)
