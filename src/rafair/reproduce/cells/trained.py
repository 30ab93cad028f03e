"""A robustly trained network of a dataset: certified and attacked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from rafair.problem import Counterparts, PerturbationSpace
from rafair.training.measuring import PEOPLE, Measured
from rafair.training.pareto import BASELINE, Point, Training, measured_point, trained_point

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.reproduce.cell import Cache, Cell

__all__ = ["ParetoCell"]

# Seconds of a core for the certificate of a person under the baseline.
BASELINE_PROOF = 0.04


@dataclass(frozen=True)
class ParetoCell:
    """The figures of a model, in the order of the fields of ``Measured``.

    Parameters
    ----------
    dataset : str
    epsilon : float
    training : Training, optional
        By default the network that the package contains.
    """

    dataset: str
    epsilon: float
    training: Training | None = None
    random_state: int = 0

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return BASELINE if self.training is None else self.training.label

    def cost(self, cache: Cache) -> float:
        """Return about how long the cell takes, in seconds of a core."""
        data = cache.data(self.dataset)
        n_people = min(PEOPLE, len(data.test))
        if self.training is None:
            return BASELINE_PROOF * n_people
        return self.training.cost(len(data.train), n_people)

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache: none."""
        return ()

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Train, certify and attack."""
        data = cache.data(self.dataset)
        people = Counterparts.of(data.schema)
        space = PerturbationSpace.of(data.schema, self.epsilon, "paper")
        if self.training is None:
            found = measured_point(cache.model(self.dataset), data, people, space)
        else:
            problem = (data, people, space)
            found = trained_point(self.training, *problem, random_state=self.random_state)
        return {
            name: torch.tensor(value, dtype=torch.float64)
            for name, value in asdict(found.figures).items()
        }

    def point(self, cache: Cache) -> Point:
        """Return the network as a point of the picture."""
        whole = ("n_people", "n_classes")
        figures = {name: float(value) for name, value in cache.result(self).items()}
        known = {name: int(figures.pop(name)) for name in whole}
        method = BASELINE if self.training is None else self.training.method
        return Point(self.label, method, self.training, Measured(**figures, **known))  # type: ignore[arg-type]
