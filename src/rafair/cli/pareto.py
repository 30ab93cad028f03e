"""``rafair train --pareto``: trains many networks and shows the trade-off between them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rafair.cli.robust_training import RobustChoice
    from rafair.cli.sources import Source
    from rafair.models import Classifier
    from rafair.training.pareto import Point

__all__ = ["train_pareto"]

POINTS, PICTURE = "pareto.json", "pareto.svg"


def train_pareto(
    source: Source,
    choice: RobustChoice,
    out: Path,
    epochs: int | None,
    random_state: int,
    *,
    quiet: bool,
) -> int:
    """Write ``pareto.json`` and ``pareto.svg`` into a directory, and print the table."""
    from rafair.cli.terminal import console, show_table
    from rafair.report.pareto import draw_pareto, pareto_table
    from rafair.runs.files import replace_file

    out.mkdir(parents=True, exist_ok=True)
    epsilon = choice.radius(source)
    about = {
        "dataset": source.name,
        "epsilon": epsilon,
        "setting": choice.setting or source.data.schema.setting,
        "epochs": epochs,
        "random_state": random_state,
        "data": source.data.digest(),
    }
    points: list[Point] = []
    for point in _points(source, choice, epochs, random_state, _known(out / POINTS, about)):
        points.append(point)
        content = {**about, "points": [each.as_dict() for each in points]}
        replace_file(out / POINTS, json.dumps(content, indent=1).encode())
        if not quiet:
            found = point.figures
            print(
                f"{point.name}: accuracy {found.accuracy:.3f}, proved R-AF {found.r_af:.3f}, "
                f"balanced {found.balanced_accuracy:.3f} and {found.r_af_balanced:.3f}",
                file=sys.stderr,
                flush=True,
            )
    replace_file(out / PICTURE, draw_pareto(points, epsilon))
    if not quiet:
        show_table(pareto_table(points, f"{source.name}: accuracy against R-AF, ε = {epsilon:g}"))
        console().print(f"\nPicture: {out / PICTURE}", soft_wrap=True)
    return 0


def _known(path: Path, about: dict[str, Any]) -> dict[str, Point]:
    """Return the points that an earlier call with the same parameters wrote, by name."""
    from rafair.training.pareto import Point

    if not path.is_file():
        return {}
    found = json.loads(path.read_text())
    if any(found.get(name) != value for name, value in about.items()):
        return {}
    return {point["name"]: Point.from_dict(point) for point in found["points"]}


def _points(
    source: Source,
    choice: RobustChoice,
    epochs: int | None,
    random_state: int,
    known: dict[str, Point],
) -> Iterator[Point]:
    """Yield the constant model, the baseline and every trained network."""
    from rafair.training.measuring import constant_measured
    from rafair.training.pareto import (
        BASELINE,
        CONSTANT,
        TRAININGS,
        Point,
        measured_point,
        trained_point,
    )

    data, problem = source.data, choice.problem(source)
    first = known.get(BASELINE) or measured_point(_baseline(source), data, *problem)
    yield Point(CONSTANT, CONSTANT, None, constant_measured(data.test.y, first.figures))
    yield first
    for training in TRAININGS:
        yield known.get(training.label) or trained_point(
            training, data, *problem, epochs=epochs, random_state=random_state
        )


def _baseline(source: Source) -> Classifier:
    from rafair.models import baseline, train_fcnn

    return baseline(source.data.name) if source.plan is None else train_fcnn(source.data)
