"""A Ray cluster as one of joblib's backends.

Ray's own backend for joblib (``ray.util.joblib``) returns no result before all tasks are done,
assigns tasks in turn even to busy workers, and fails with the first worker that is lost. This one
makes one Ray task of each task; Ray places it on a free worker and repeats it if a node dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from joblib.parallel import ParallelBackendBase

from rafair.errors import InvalidInput, WorkersLost
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import ModuleType

__all__ = ["RETRIES", "RayTasks", "connected"]

# How many times Ray repeats a task whose worker or node is lost.
RETRIES = 3
# Seconds to wait for an answer from an address.
PATIENCE = 5.0
# Size of the object store of a cluster that is started here. It holds a model and some results;
# Ray would take a third of the memory.
STORE_BYTES = 256 * 2**20


class RayTasks(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Joblib's tasks as Ray's: one core each, and up to ``RETRIES`` more attempts.

    Parameters
    ----------
    ray : module
        Ray, connected to a cluster.
    """

    supports_retrieve_callback = True

    def __init__(self, ray: ModuleType, **options: Any) -> None:
        super().__init__(**options)
        self._ray = ray
        self._run = ray.remote(num_cpus=1, max_retries=RETRIES)(_run)
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many tasks run at once; with 1, joblib would call no backend."""
        return max(2, n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Start a call of joblib."""
        self._thread = ThreadPoolExecutor(1)
        workers: int = super().configure(n_jobs, parallel, **options)
        return workers

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Future[Any]:
        """Start a task; call back with its future when it is done."""
        future: Future[Any] = self._run.remote(func).future()
        future.add_done_callback(partial(self._finish, callback))
        return future

    def _finish(self, callback: Callable[[Any], None], future: Future[Any]) -> None:
        """Pass a finished task to the callback in another thread.

        The callback starts the next task. In Ray's own thread, a Ray client would wait for itself.
        """
        with self._lock:
            if self._thread is not None:
                self._thread.submit(callback, future)

    def terminate(self) -> None:
        """End a call of joblib."""
        with self._lock:
            if self._thread is not None:
                self._thread.shutdown(wait=False)
            self._thread = None

    def retrieve_result_callback(self, future: Future[Any]) -> Any:
        """Return what a task returned.

        Raises
        ------
        InvalidInput
            If a worker could not start the task.
        WorkersLost
            If Ray has given up the task.
        """
        failures = self._ray.exceptions
        try:
            return future.result()
        except failures.RayTaskError as error:
            reason = " ".join(str(error.cause).split())
            raise InvalidInput(
                f"a worker cannot run rafair ({reason}); install the same release on every machine"
            ) from None
        except failures.RayError as error:
            raise WorkersLost(
                f"Ray has given up a task ({type(error).__name__}), perhaps because memory "
                "ran out; use fewer --jobs, or go on where this stopped"
            ) from None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Leave the tasks that run, at most one a worker, to end by themselves; nobody waits.

        ``ray.cancel`` on a task whose result is just arriving ends this very process (Ray 2.60,
        ``TaskManager::CompletePendingTask``: "Tried to complete task that was not pending").
        """


def _run(function: Callable[[], Any]) -> Any:
    return function()


@contextlib.contextmanager
def connected(address: str | None, jobs: int | None) -> Iterator[ModuleType]:
    """Connect to a Ray cluster: the program's own, the one at an address, or a new one.

    Yields Ray. Afterwards only the program's own connection is kept.

    Raises
    ------
    InvalidInput
        If Ray is not installed, or there is no cluster at that address.
    """
    # By default Ray hides accelerators from tasks that reserve none, and sends usage statistics.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = need("ray", "ray")
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":
        own = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    _check_answers(address)
    with _own_signals():
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except Exception as error:  # Ray raises a dozen different classes
            ray.shutdown()
            raise InvalidInput(_unreachable(address, str(error))) from error
        try:
            yield ray
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Restore the program's handler of SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_answers(address: str) -> None:
    """Refuse an address where no cluster answers; Ray itself would wait for minutes.

    Raises
    ------
    InvalidInput
    """
    if address in ("auto", "local"):
        return
    try:
        where = urlsplit(address if "://" in address else f"//{address}")
        host, port = where.hostname, where.port
    except ValueError:
        host, port = None, None
    if not host or not port or where.scheme not in ("", "ray"):
        raise InvalidInput(
            f"{address!r} is no address of a Ray cluster; use auto, HOST:PORT or ray://HOST:PORT"
        )
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        raise InvalidInput(_unreachable(address, str(error))) from None
    if os.environ.get("RAY_USE_TLS", "0") == "0" and not _speaks_grpc(f"{host}:{port}"):
        raise InvalidInput(_unreachable(address, "something else answers there"))


def _speaks_grpc(target: str) -> bool:
    grpc = need("grpc", "ray")
    with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(PATIENCE)
        except grpc.FutureTimeoutError:
            return False
    return True


def _unreachable(address: str, reason: str) -> str:
    first = reason.strip().partition("\n")[0].rstrip(".")
    return f"no Ray cluster at {address!r} ({first}); start one with: ray start --head"
