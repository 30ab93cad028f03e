"""A piece of work of a reproduction, and what it may ask the cache for."""

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
    """What cells and parts ask for; ``ResultCache`` has it."""

    @property
    def study(self) -> Study:
        """The parameters of the reproduction."""
        ...

    def result(self, cell: Cell) -> dict[str, Tensor]:
        """Return what a cell computes."""
        ...

    def data(self, dataset: str) -> Dataset:
        """Return a benchmark."""
        ...

    def model(self, dataset: str) -> Classifier:
        """Return a benchmark's baseline."""
        ...

    def seeds(self, setup: Setup) -> Seeds:
        """Return the seeds of a setup with their model and counterparts."""
        ...


class Cell(Protocol):
    """A piece of work with a result of its own: a frozen dataclass of what it depends on."""

    @property
    def dataset(self) -> str:
        """The benchmark it works on."""
        ...

    @property
    def label(self) -> str:
        """What a person who waits for it is told."""
        ...

    @property
    def steps(self) -> float:
        """How often it goes through all seeds × counterparts, roughly."""
        ...

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results it asks the cache for."""
        ...

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Do the work; other cells' results come from ``cache.result``."""
        ...


@dataclass(frozen=True)
class SetupCell:
    """What cells that work on one setup have in common."""

    setup: Setup

    @property
    def dataset(self) -> str:
        """The benchmark it works on."""
        return self.setup.dataset

    @property
    def needs(self) -> tuple[Cell, ...]:
        """The cells whose results it asks the cache for: none."""
        return ()
