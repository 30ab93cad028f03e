"""A network on two features and sex, which can be drawn, and the paths of RAFair on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.attacks import RAFair
from rafair.fairness import judge
from rafair.fairness.verdict import FB, FF, TB, TF
from rafair.models import wrap
from rafair.models.networks import fit
from rafair.problem import Counterparts, PerturbationSpace

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.reproduce.cell import Cache, Cell

__all__ = ["MODES", "DrawnCell"]

MODES = {"true_biased": TB, "false_fair": FF, "false_biased": FB}
# Number of test rows that are searched for one that every mode moves into the mode's cell.
CANDIDATES = 2000
GRID = 121


@dataclass(frozen=True)
class DrawnCell:
    """FCNN(6) on two features and one binary sensitive feature of a benchmark, and one person.

    Parameters
    ----------
    horizontal, vertical : str
        Features on the axes.
    sensitive : str
    random_state, epochs : int
        Of the training.
    walk_steps, step_size : int, float
        Steps of RAFair and their size in unit space.
    """

    dataset: str = "credit"
    horizontal: str = "duration"
    vertical: str = "employment"
    sensitive: str = "sex"
    random_state: int = 0
    epochs: int = 30
    walk_steps: int = 40
    step_size: float = 0.01

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return "two features"

    def cost(self, cache: Cache) -> float:  # noqa: ARG002
        """Return about how long the cell takes, in seconds of a core."""
        return 2.0

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache: none."""
        return ()

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Return the paths of the modes, and grids of margins for both sensitive values."""
        data = cache.data(self.dataset)
        schema = data.schema
        columns = [schema.index(n) for n in (self.horizontal, self.vertical, self.sensitive)]
        module = fit(
            data.train.x[:, columns],
            data.train.y,
            len(schema.classes),
            random_state=self.random_state,
            epochs=self.epochs,
        )
        model = wrap(module, output="logits")
        values = schema.features[columns[2]].axis.tolist()
        people = Counterparts.product([2], [values])
        x, y = data.test.x[:CANDIDATES, columns], data.test.y[:CANDIDATES]
        space = PerturbationSpace(self.walk_steps * self.step_size, [True, True, False])
        fine = judge(model, x, y, people).cells == TF
        x, y = x[fine], y[fine]
        paths, hits = {}, torch.zeros(len(x), dtype=torch.int64)
        for mode, cell in MODES.items():
            attack = RAFair(mode=mode, step_size=self.step_size, steps=self.walk_steps)
            result = attack.run(model, x, y, people, space)
            assert result.trajectory is not None  # noqa: S101 - RAFair always has one
            paths[mode] = result.trajectory.points
            hits += judge(model, result.x_adv, y, people).cells == cell
        chosen = int(hits.argmax())
        own = x[chosen, 2]
        other = torch.tensor(next(value for value in values if value != float(own)))
        return {
            **{mode: points[:, chosen, :2] for mode, points in paths.items()},
            "y": y[chosen : chosen + 1],
            "hits": hits[chosen : chosen + 1],
            "own": _margins(model, own),
            "other": _margins(model, other),
            "sensitive": torch.stack([own, other.to(own)]),
        }


def _margins(model: Classifier, value: Tensor) -> Tensor:
    """Return the margins, score 1 minus score 0, on a grid, shape (vertical, horizontal)."""
    axis = torch.linspace(0, 1, GRID, dtype=torch.float64)
    vertical, horizontal = torch.meshgrid(axis, axis, indexing="ij")
    rows = torch.stack([horizontal, vertical, value.to(axis).expand_as(horizontal)], dim=2)
    with torch.no_grad():
        scores = model.scores(rows.view(-1, 3).to(model.dtype))
    return (scores[:, 1] - scores[:, 0]).view(GRID, GRID).to(torch.float64)
