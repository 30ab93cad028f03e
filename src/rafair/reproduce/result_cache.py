"""Computes each cell once and keeps its result; also keeps models, data and seeds."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from rafair.auditing.batches import Seeds
from rafair.datasets import load_dataset
from rafair.engine import Engine, silent
from rafair.errors import InvalidInput
from rafair.fairness import choose_seeds
from rafair.models import baseline
from rafair.reproduce.cell import SetupCell, TrainedCell
from rafair.reproduce.stages import stages, with_needs
from rafair.reproduce.study import SHIPPED
from rafair.runs.files import replace_file, reporting_os_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from rafair.datasets import Dataset
    from rafair.engine import Progress
    from rafair.models import Classifier
    from rafair.reproduce.cell import Cell
    from rafair.reproduce.study import Setup, Study, Training

__all__ = ["ResultCache"]

T = TypeVar("T")

# Beginning of the keys in ``_kept`` under which the row numbers of chosen seeds are kept.
CHOSEN = "('chosen', "
# The code that a result can depend on. A change in other code (pages) keeps stored results.
COMPUTING = (
    "schema", "datasets", "models", "kernels", "problem", "fairness", "trees", "attacks", "repair",
    "analysis", "certificates", "training", "plans", "engine", "runs", "auditing",
    "reproduce/cells", "reproduce/cell.py", "reproduce/study.py", "reproduce/result_cache.py",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ResultCache:
    """The results of a study's cells, computed on first use.

    Parameters
    ----------
    study : Study
    directory : Path, optional
        Where results are kept, one file each, so that an interrupted study can continue. A file is
        valid for one version of code, data and weights; files of other versions stay untouched.
    on_progress : callable
        Called with the name of the current work, the amount done and the total amount.
    """

    study: Study
    directory: Path | None = None
    on_progress: Progress = silent
    _kept: dict[str, object] = field(default_factory=dict)

    def check(self, work: Sequence[tuple[str, Cell]]) -> None:
        """Refuse work with more seeds than a test split has rows, before anything is computed.

        Raises
        ------
        InvalidInput
            If a setup has more seeds than the test split of its dataset has rows.
        """
        setups = [self.study.setup(name) for name in self.study.datasets]
        setups += [cell.setup for _, cell in work if isinstance(cell, SetupCell)]
        for setup in setups:
            self.chosen(setup.dataset, setup.n_seeds, setup.random_state)

    def run(self, work: Sequence[tuple[str, Cell]], engine: Engine | None = None) -> None:
        """Compute the cells of some parts whose results are missing, and the cells they need.

        Parameters
        ----------
        work : sequence of (str, Cell)
            The name of a part and a cell that it needs.
        engine : Engine, optional
            Where cells are computed. By default they are computed one by one in this process, in
            the order of ``work``, except that a cell comes after the cells that it needs.
        """
        work = with_needs(work)
        costs = [self._cost(cell) for _, cell in work]
        missing = {cell for _, cell in work}

        def report() -> None:
            left = [place for place, (_, cell) in enumerate(work) if cell in missing]
            done = sum(costs) - sum(costs[place] for place in left)
            part, cell = work[left[0]] if left else ("page", None)
            what = part if cell is None else f"{part} {cell.dataset} {cell.label}"
            self.on_progress(what, done, sum(costs))

        # Before the first report: what is there already says nothing about the pace.
        missing = {cell for cell in missing if not self._found(cell)}
        report()
        for stage in stages(cell for _, cell in work if cell in missing):
            for cell in self._computed_by(engine or Engine(), stage):
                missing.remove(cell)
                report()

    def _computed_by(self, engine: Engine, stage: Sequence[Cell]) -> Iterator[Cell]:
        """Compute cells that do not need one another; keep each result, then yield its cell."""
        tasks = [
            Task(cell, self._key(cell), {self._key(n): self.result(n) for n in cell.needs})
            for cell in stage
        ]
        with contextlib.closing(engine.map(partial(_computed, self), tasks)) as results:
            for place, content in results:
                self._keep(tasks[place].key, content)
                yield stage[place]

    def result(self, cell: Cell) -> dict[str, Tensor]:
        """Return the result of a cell: from memory or from the directory, or else compute it."""
        if not self._found(cell):
            key = self._key(cell)
            self._keep(key, _computed(self, Task(cell, key)))
        found = self._kept[self._key(cell)]
        assert isinstance(found, dict)  # noqa: S101 - for the type checker
        return found

    def _found(self, cell: Cell) -> bool:
        """Tell whether a result is known; one in the directory is loaded into memory."""
        key = self._key(cell)
        if key not in self._kept:
            stored = self._stored(key)
            if stored is None:
                return False
            self._kept[key] = stored
        return True

    def _keep(self, key: str, content: bytes) -> None:
        if self.directory is not None:
            with reporting_os_errors(self.directory):
                self.directory.mkdir(parents=True, exist_ok=True)
            replace_file(self.directory / f"{key}.safetensors", content)
        self._kept[key] = parse(content)

    def _stored(self, key: str) -> dict[str, Tensor] | None:
        path = None if self.directory is None else self.directory / f"{key}.safetensors"
        if path is None or not path.is_file():
            return None
        try:
            return parse(path.read_bytes())
        except SafetensorError:
            return None  # damaged: it will be computed again and replaced

    def _key(self, cell: Cell) -> str:
        return f"{cell.dataset}-{self._digest(cell)}"

    def _digest(self, cell: Cell) -> str:
        what = f"{type(cell).__name__} {cell!r} {self._inputs(cell.dataset)} {self._code}"
        return hashlib.sha256(what.encode()).hexdigest()[:20]

    def _inputs(self, dataset: str) -> str:
        return self._once(
            ("inputs", dataset),
            lambda: f"{self.data(dataset).digest()} {self.model(dataset).digest()}",
        )

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
        """Return about how long a cell takes, in milliseconds of a core."""
        return max(1, round(1000 * cell.cost(self)))

    def data(self, dataset: str) -> Dataset:
        """Return a benchmark."""
        return self._once(("data", dataset), lambda: load_dataset(dataset))

    def model(self, dataset: str, training: Training = SHIPPED) -> Classifier:
        """Return a network of a benchmark, by default the one that the package contains."""
        return self._once(
            ("model", dataset, training),
            lambda: (
                baseline(dataset)
                if training == SHIPPED
                else TrainedCell(dataset, training).model(self)
            ),
        )

    def seeds(self, setup: Setup) -> Seeds:
        """Return the seeds of a setup, with their model and counterparts."""
        data, model = self.data(setup.dataset), self.model(setup.dataset, setup.training)
        index = self.chosen(setup.dataset, setup.n_seeds, setup.random_state)
        return self._once(("seeds", setup), lambda: Seeds.of(model, data, setup.plan, index))

    def chosen(self, dataset: str, n: int, random_state: int) -> Tensor:
        """Return the rows of the test split that k-means chooses as seeds, shape (n,), int64."""
        x = self.data(dataset).test.x
        return self._once(
            ("chosen", dataset, n, random_state), lambda: choose_seeds(x, n, random_state)
        )

    def _once(self, key: object, make: Callable[[], T]) -> T:
        name = repr(key)
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]  # type: ignore[return-value]  # the type that make returned

    def __reduce__(self) -> tuple[type[ResultCache], tuple[object, ...]]:
        """Pickle only the study and the chosen seeds, so that all workers use the same seeds."""
        chosen = {name: self._kept[name] for name in self._kept if name.startswith(CHOSEN)}
        return ResultCache, (self.study, None, silent, chosen)


@dataclass(frozen=True, eq=False)
class Task:
    """A cell, the key of its result, and key → result of the cells that it needs."""

    cell: Cell
    key: str
    needed: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def _computed(cache: ResultCache, task: Task) -> bytes:
    """Return a cell's result as the content of a file; in a worker, ``cache`` is a copy.

    Raises
    ------
    InvalidInput
        If code, data or weights differ from those of the process that made the task.
    """
    if cache._key(task.cell) != task.key:
        raise InvalidInput(
            "a worker has another rafair, or another torch; install the same on every machine"
        )
    cache._kept.update(task.needed)
    result = task.cell.compute(cache)
    return serialise({name: value.contiguous() for name, value in result.items()})
