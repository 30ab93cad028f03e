"""A single computation of a reproduction, and the cache that it reads from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.auditing.batches import Seeds
    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.reproduce.study import Setup, Study

__all__ = ["Cache", "Cell", "SetupCell"]


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

    def model(self, dataset: str) -> Classifier:
        """Return the baseline model of a benchmark."""
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

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        ...

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache."""
        ...

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Return the result; results of other cells come from ``cache.result``."""
        ...


@dataclass(frozen=True)
class SetupCell:
    """Base class of the cells that work on one setup."""

    setup: Setup

    @property
    def dataset(self) -> str:
        """The benchmark that the cell works on."""
        return self.setup.dataset

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results this cell reads from the cache: none."""
        return ()
