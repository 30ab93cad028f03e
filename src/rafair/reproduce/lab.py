"""Where cells are computed once and kept: models, data, seeds, and a directory of results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from rafair.auditing.files import replace_file, reporting_os_errors
from rafair.auditing.seeds import Seeds, silent
from rafair.datasets import load_dataset
from rafair.fairness import choose_seeds
from rafair.models import baseline
from rafair.reproduce.setup import SetupCell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.reproduce.setup import Setup, Study

__all__ = ["Cell", "Lab"]

T = TypeVar("T")

# Layers whose code a result can depend on; pages may change without computing anything anew.
COMPUTING = (
    "schema", "datasets", "models", "problem", "fairness", "attacks", "repair", "analysis",
    "certificates", "auditing", "reproduce/cells", "reproduce/setup.py", "reproduce/lab.py",
)  # fmt: skip


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

    def compute(self, lab: Lab) -> dict[str, Tensor]:
        """Do the work; other cells' results come from ``lab.result``."""
        ...


@dataclass(frozen=True, eq=False)
class Lab:
    """The results of a study's cells, computed on first use.

    Parameters
    ----------
    study : Study
    directory : Path, optional
        Where results are kept, one file each, so that an interrupted study goes on where it
        stopped. A file holds for one version of code, data and weights; others are left alone.
    on_progress : callable
        Called with what is done, and how much of how much.
    """

    study: Study
    directory: Path | None = None
    on_progress: Callable[[str, int, int], None] = silent
    _kept: dict[str, object] = field(default_factory=dict)

    def check(self, work: Sequence[tuple[str, Cell]]) -> None:
        """Refuse work that asks for more seeds than there are, before any of it is done.

        Raises
        ------
        InvalidInput
        """
        setups = [self.study.setup(name) for name in self.study.datasets]
        setups += [cell.setup for _, cell in work if isinstance(cell, SetupCell)]
        for setup in setups:
            self.chosen(setup.dataset, setup.n_seeds, setup.random_state)

    def run(self, work: Sequence[tuple[str, Cell]]) -> None:
        """Compute cells in this order; each comes with the name of the part that asked for it."""
        costs = [self._cost(cell) for _, cell in work]
        done = 0
        for (part, cell), cost in zip(work, costs, strict=True):
            self.on_progress(f"{part} {cell.dataset} {cell.label}", done, sum(costs))
            self.result(cell)
            done += cost
        self.on_progress("page", done, sum(costs))

    def result(self, cell: Cell) -> dict[str, Tensor]:
        """Return what a cell computes: from memory, from the directory, or by computing it."""
        key = f"{cell.dataset}-{self._digest(cell)}"
        if key not in self._kept:
            self._kept[key] = self._stored(key) or self._computed(key, cell)
        found = self._kept[key]
        assert isinstance(found, dict)  # noqa: S101 - for the type checker
        return found

    def _computed(self, key: str, cell: Cell) -> dict[str, Tensor]:
        result = {name: value.contiguous() for name, value in cell.compute(self).items()}
        if self.directory is not None:
            with reporting_os_errors(self.directory):
                self.directory.mkdir(parents=True, exist_ok=True)
            replace_file(self.directory / f"{key}.safetensors", serialise(result))
        return result

    def _stored(self, key: str) -> dict[str, Tensor] | None:
        path = None if self.directory is None else self.directory / f"{key}.safetensors"
        if path is None or not path.is_file():
            return None
        try:
            return parse(path.read_bytes())
        except SafetensorError:
            return None  # damaged: compute it anew and replace it

    def _digest(self, cell: Cell) -> str:
        what = f"{type(cell).__name__} {cell!r} {self._inputs(cell.dataset)} {self._code}"
        return hashlib.sha256(what.encode()).hexdigest()[:20]

    def _inputs(self, dataset: str) -> str:
        return f"{self.data(dataset).digest()} {self.model(dataset).digest()}"

    @cached_property
    def _code(self) -> str:
        package = Path(str(resources.files("rafair")))
        roots = [package / layer for layer in COMPUTING]
        paths = sorted(
            p for root in roots for p in ([root] if root.is_file() else root.rglob("*.py"))
        )
        digest = hashlib.sha256(torch.__version__.encode())
        for path in paths:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _cost(self, cell: Cell) -> int:
        people = len(self.seeds(self.study.setup(cell.dataset)).counterparts)
        return max(1, round(people * cell.steps))

    def data(self, dataset: str) -> Dataset:
        """Return a benchmark."""
        return self._once(("data", dataset), lambda: load_dataset(dataset))

    def model(self, dataset: str) -> Classifier:
        """Return a benchmark's baseline."""
        return self._once(("model", dataset), lambda: baseline(dataset))

    def seeds(self, setup: Setup) -> Seeds:
        """Return the seeds of a setup with their model and counterparts."""
        data, model = self.data(setup.dataset), self.model(setup.dataset)
        index = self.chosen(setup.dataset, setup.n_seeds, setup.random_state)
        return self._once(("seeds", setup), lambda: Seeds.of(model, data, setup.plan, index))

    def chosen(self, dataset: str, n: int, random_state: int) -> Tensor:
        """Return the row numbers of k-means seeds."""
        x = self.data(dataset).test.x
        return self._once(
            ("chosen", dataset, n, random_state), lambda: choose_seeds(x, n, random_state)
        )

    def _once(self, key: object, make: Callable[[], T]) -> T:
        name = repr(key)
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]  # type: ignore[return-value]  # of the type that was put in
