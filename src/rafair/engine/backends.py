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

# How often in a row workers may be lost without a single result between.
RESTARTS = 3
# Seconds after which a worker without work ends; the next call within them finds it warm.
IDLE = 30


@dataclass(frozen=True)
class Engine:
    """Where shards are computed: in this process, in several on this machine, or on Ray.

    Parameters
    ----------
    jobs : int, optional
        Number of workers; None is one per core, with Ray one per core of the cluster.
    backend : str
        ``"processes"`` or ``"ray"``.
    address : str, optional
        Of a Ray cluster: ``"auto"``, ``"host:port"`` or ``"ray://host:port"``. By default the
        one that the program is connected to, that of ``RAY_ADDRESS``, or one started here.

    Raises
    ------
    InvalidInput
        If one of them is not possible.
    """

    jobs: int | None = 1
    backend: Backend = "processes"
    address: str | None = None

    def __post_init__(self) -> None:
        check_one_of("engine", self.backend, BACKENDS)
        jobs = self.jobs
        if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
            raise InvalidInput(f"jobs must be a whole number, 1 or more, or None, not {jobs!r}")
        if self.address is not None and self.backend != "ray":
            raise InvalidInput("an address is for the engine ray; add --engine ray")

    def map(
        self, function: Callable[[T], R], tasks: Sequence[T]
    ) -> Generator[tuple[int, R], None, None]:
        """Yield (place of the task, its result) as results come.

        In order, lazily and in this process where there is one job and no cluster. Workers get
        copies: of a tensor that is a view, all that it is a view of.

        Parameters
        ----------
        function : callable
            Of one task. What it holds is sent to each worker.
        tasks : sequence

        Raises
        ------
        InvalidInput
            If the function or a task cannot be sent, or there is no such cluster.
        WorkersLost
            If workers are killed again and again.
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
        """Return processes of this machine, None where one would do."""
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
        ray, stays = stack.enter_context(connected(self.address, self.jobs))
        cores = int(ray.cluster_resources().get("CPU", 1))
        workers = self.jobs or max(1, cores)
        call = Call.of(content, Reference(ray.put(content)), threads=1)
        return _WorkerPool(call, workers, workers, {"backend": RayTasks(ray, stays=stays)})


@dataclass(frozen=True)
class _WorkerPool:
    """Workers that do a call: how many, how many tasks they are given ahead, joblib's options."""

    call: Call
    workers: int
    ahead: int
    options: dict[str, Any]

    @contextlib.contextmanager
    def results(
        self, tasks: Sequence[Any], places: Iterator[int]
    ) -> Iterator[Iterator[tuple[int, bytes]]]:
        """Hold (place, packed result) as results come; stop the workers where nobody takes all."""
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
                warnings.simplefilter("ignore")  # joblib warns of results that nobody took
                found.close()


def _until_done(pool: _WorkerPool, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield all results, each once; begin again with what is left where workers are killed.

    Raises
    ------
    WorkersLost
    """
    # Loky says so in a thread of its own; as an error it would end that thread, and all waits.
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
                    f"{fruitless} times in a row all workers were lost with one that was killed, "
                    "perhaps for want of memory; use fewer --jobs"
                ) from None
        # Whoever kills workers is among those that were under way: they come last.
        left = sorted(set(left) - done, key=lambda place: (place in taken, place))


def _noting(places: Sequence[int], taken: set[int]) -> Iterator[int]:
    for place in places:
        taken.add(place)
        yield place
