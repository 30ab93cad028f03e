"""A single computation of a reproduction, and the cache that it reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rafair.models import fcnn, train_fcnn, wrap
from rafair.reproduce.study import SHIPPED

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.auditing.batches import Seeds
    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.reproduce.study import Setup, Study, Training

__all__ = ["Cache", "Cell", "SetupCell", "TrainedCell"]

# Seconds of a core for one pass over a counterpart of each of 200 seeds, and for a row of the
# training split (measured on Adult).
PASS, ROW = 5e-4, 6e-4


class Cache(Protocol):
    """What cells and parts can read; ``ResultCache`` implements it."""

    @property
    def study(self) -> Study:
        """The parameters of the reproduction."""
        ...

    def result(self, cell: Cell) -> dict[str, Tensor]:
        """Return the result of a cell."""
        ...

    def data(self, dataset: str) -> Dataset:
        """Return a benchmark."""
        ...

    def model(self, dataset: str, training: Training = SHIPPED) -> Classifier:
        """Return a network of a benchmark."""
        ...

    def seeds(self, setup: Setup) -> Seeds:
        """Return the seeds of a setup, with their model and counterparts."""
        ...


class Cell(Protocol):
    """A computation with its own result: a frozen dataclass of the parameters it depends on.

    Not to be confused with a cell of the fairness confusion matrix.
    """

    @property
    def dataset(self) -> str:
        """The benchmark that the cell works on."""
        ...

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        ...

    def cost(self, cache: Cache) -> float:
        """Return about how long the cell takes, in seconds of a core; for the end expected."""
        ...

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache."""
        ...

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Return the result; results of other cells come from ``cache.result``."""
        ...


@dataclass(frozen=True)
class TrainedCell:
    """The weights of a network that the package does not contain."""

    dataset: str
    training: Training

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        kind = "plain network" if self.training.plain else "network"
        return f"{kind} {self.training.random_state}"

    def cost(self, cache: Cache) -> float:
        """Return about how long the training takes, in seconds of a core."""
        return ROW * len(cache.data(self.dataset).train)

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache: none."""
        return ()

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Train the network."""
        chosen = self.training
        model = train_fcnn(
            cache.data(self.dataset), random_state=chosen.random_state, plain=chosen.plain
        )
        return model.module.state_dict()

    def model(self, cache: Cache) -> Classifier:
        """Return the network."""
        schema = cache.data(self.dataset).schema
        module = fcnn(len(schema.features), len(schema.classes))
        module.load_state_dict(cache.result(self))
        return wrap(module.eval().requires_grad_(requires_grad=False), schema, output="logits")


@dataclass(frozen=True)
class SetupCell(ABC):
    """Base class of the cells that work on one setup."""

    setup: Setup

    @property
    def dataset(self) -> str:
        """The benchmark that the cell works on."""
        return self.setup.dataset

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads: the network, unless the package has it."""
        chosen = self.setup.training
        return () if chosen == SHIPPED else (TrainedCell(self.setup.dataset, chosen),)

    @property
    @abstractmethod
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""

    def cost(self, cache: Cache) -> float:
        """Return about how long the cell takes, in seconds of a core."""
        people = cache.seeds(cache.study.setup(self.dataset)).counterparts
        return PASS * self.steps * len(people)
