"""Where pieces of work are computed: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import warnings
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from rafair.checks import check_one_of
from rafair.engine.workers import Call, Raw, Reference, begin, opened, pack, perform
from rafair.errors import InvalidInput, WorkersLost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

__all__ = ["BACKENDS", "Backend", "Engine"]

T = TypeVar("T")
R = TypeVar("R")
Backend = Literal["processes", "ray"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

# How many times in a row workers may be killed with no result in between.
RESTARTS = 3
# Seconds that an idle worker waits before it ends; a call within that time reuses it.
IDLE = 30


@dataclass(frozen=True)
class Engine:
    """Where shards are computed: in this process, in several on this machine, or on Ray.

    Parameters
    ----------
    jobs : int, optional
        Number of workers; None means one per core, with Ray one per core of the cluster.
    backend : str
        ``"processes"`` or ``"ray"``.
    address : str, optional
        Address of a Ray cluster: ``"auto"``, ``"host:port"`` or ``"ray://host:port"``. By default
        the cluster that the program is connected to, the one at ``RAY_ADDRESS``, or a new one.

    Raises
    ------
    InvalidInput
        If a parameter has no meaning.
    """

    jobs: int | None = 1
    backend: Backend = "processes"
    address: str | None = None

    def __post_init__(self) -> None:
        check_one_of("backend", self.backend, BACKENDS)
        jobs = self.jobs
        if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
            raise InvalidInput(f"jobs must be a whole number, 1 or more, or None, not {jobs!r}")
        if self.address is not None and self.backend != "ray":
            raise InvalidInput(f"address is for the backend 'ray', not for {self.backend!r}")

    def map(
        self, function: Callable[[T], R], tasks: Sequence[T]
    ) -> Generator[tuple[int, R], None, None]:
        """Yield the place of each task and its result, in the order in which results arrive.

        With one job and no cluster the tasks run in this process, in their order, each only when
        its result is asked for. Workers get copies; of a tensor that is a view they get the whole
        tensor behind it.

        Parameters
        ----------
        function : callable
            From one task to its result. Whatever it refers to is sent to each worker.
        tasks : sequence

        Raises
        ------
        InvalidInput
            If the function or a task cannot be pickled, or there is no such cluster.
        WorkersLost
            If workers are killed several times in a row.
        Exception
            Whatever the function raises.
        """
        with contextlib.ExitStack() as stack:
            if self.backend == "ray":
                pool = self._cluster(stack, function) if len(tasks) else None
            else:
                pool = self._processes(function, len(tasks))
            if pool is None:
                for place, task in enumerate(tasks):
                    yield place, function(task)
                return
            yield from _until_done(pool, tasks)

    def _processes(self, function: Callable[[T], R], tasks: int) -> _WorkerPool | None:
        """Return a pool of processes on this machine; None where one process is enough."""
        if self.jobs == 1 or tasks < 2:
            return None
        import joblib

        cores: int = joblib.cpu_count()
        workers = min(self.jobs or cores, tasks)
        if workers == 1:
            return None
        threads = max(1, cores // workers)
        content = pack(function, "the model")
        options = {
            "backend": "loky",
            "inner_max_num_threads": threads,
            "idle_worker_timeout": IDLE,
            "initializer": begin,
            "initargs": (os.getpid(),),
        }
        return _WorkerPool(Call.of(content, Raw(content), threads), workers, 2 * workers, options)

    def _cluster(self, stack: contextlib.ExitStack, function: Callable[[T], R]) -> _WorkerPool:
        from rafair.engine.ray_cluster import RayTasks, connected

        content = pack(function, "the model")
        ray = stack.enter_context(connected(self.address, self.jobs))
        cores = int(ray.cluster_resources().get("CPU", 1))
        workers = self.jobs or max(1, cores)
        call = Call.of(content, Reference(ray.put(content)), threads=1)
        return _WorkerPool(call, workers, workers, {"backend": RayTasks(ray)})


@dataclass(frozen=True)
class _WorkerPool:
    """Workers for one call.

    Attributes
    ----------
    workers : int
    ahead : int
        Number of tasks that are handed out at once.
    options : dict
        Of joblib's ``parallel_config``.
    """

    call: Call
    workers: int
    ahead: int
    options: dict[str, Any]

    @contextlib.contextmanager
    def results(
        self, tasks: Sequence[Any], places: Iterator[int]
    ) -> Iterator[Iterator[tuple[int, bytes]]]:
        """Give an iterator of places and packed results; stop the workers if it is left early."""
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(**self.options):
            parallel = Parallel(
                n_jobs=self.workers,
                return_as="generator_unordered",
                pre_dispatch=self.ahead,
                batch_size=1,
                max_nbytes=None,
            )
        run = delayed(perform)
        found = parallel(run(self.call, place, pack(tasks[place], "a task")) for place in places)
        try:
            yield found
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # joblib warns of results that were not taken
                found.close()


def _until_done(pool: _WorkerPool, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield every result once; when workers are killed, start again with the remaining tasks.

    Raises
    ------
    WorkersLost
    """
    # Loky warns in a thread of its own. Where warnings are errors, that thread would end and the
    # program would wait for ever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    left, fruitless = list(range(len(tasks))), 0
    while left:
        taken, done = set[int](), set[int]()
        try:
            with pool.results(tasks, _noting(left, taken)) as results:
                for place, content in results:
                    done.add(place)
                    yield place, opened(content)
        except BrokenProcessPool:
            fruitless = 0 if done else fruitless + 1
            if fruitless > RESTARTS:
                raise WorkersLost(
                    f"{fruitless} times in a row a worker was killed and all others were lost with "
                    "it, perhaps because memory ran out; use fewer --jobs"
                ) from None
        # The task that kills its worker is among those that were running: they come last.
        left = sorted(set(left) - done, key=lambda place: (place in taken, place))


def _noting(places: Sequence[int], taken: set[int]) -> Iterator[int]:
    for place in places:
        taken.add(place)
        yield place
