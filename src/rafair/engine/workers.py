"""What is sent to a worker and back, and how a worker runs a task."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from rafair.errors import InvalidInput, RafairError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Call", "Failure", "Raw", "Reference", "begin", "opened", "pack", "perform"]

VERSION = version("rafair")
# Environment variables of the caller that a result can depend on.
SETTINGS = ("MKL_CBWR",)
# Seconds between two checks that the caller still runs.
LOOK = 2.0


@dataclass(frozen=True)
class Raw:
    """A function's bytes, sent with every task."""

    content: bytes

    def read(self) -> bytes:
        """Return the bytes."""
        return self.content


@dataclass(frozen=True)
class Reference:
    """A function's bytes in the store of a Ray cluster, fetched once by each worker."""

    place: Any

    def read(self) -> bytes:
        """Return the bytes."""
        import ray

        content: bytes = ray.get(self.place)
        return content


@dataclass(frozen=True)
class Call:
    """A function for workers, and the conditions under which they must run it.

    Attributes
    ----------
    function : Raw or Reference
    key : str
        By which a worker recognises a function that it has already loaded.
    threads : int
        Number of threads that torch may use.
    version : str
        The caller's release of rafair.
    settings : tuple of (name, value)
        Environment variables.
    """

    function: Raw | Reference
    key: str
    threads: int
    version: str
    settings: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, content: bytes, function: Raw | Reference, threads: int) -> Call:
        """Describe a packed function.

        Parameters
        ----------
        content : bytes
            The packed function.
        function : Raw or Reference
            Where a worker finds that content.
        """
        settings = tuple((name, os.environ[name]) for name in SETTINGS if name in os.environ)
        key = hashlib.sha256(content).hexdigest()
        return cls(function, key, threads, VERSION, settings)


@dataclass(frozen=True)
class Failure:
    """The exception that a function raised."""

    error: Exception


def pack(what: Any, name: str) -> bytes:
    """Return an object as bytes for another process.

    Raises
    ------
    InvalidInput
        If it refers to something that cannot be pickled.
    """
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(what)
    except Exception as error:  # whatever a library's object raises
        raise InvalidInput(
            f"{name} cannot be sent to another process ({_in_one_line(error)}); "
            "use --jobs 1 without --backend ray"
        ) from error
    return content


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def opened(content: bytes) -> Any:
    """Return the result that a worker sent.

    Raises
    ------
    Exception
        The one that the function raised in the worker.
    """
    result = pickle.loads(content)  # noqa: S301 - written by a worker of this very call
    if isinstance(result, Failure):
        raise result.error
    return result


def begin(caller: int) -> None:
    """Prepare a worker process: only its caller handles Ctrl-C, and it ends with its caller.

    Parameters
    ----------
    caller : int
        Number of the process that started this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(caller,), daemon=True).start()


def _end_after(caller: int) -> None:
    """End this process once its caller has ended; a caller that is killed cannot stop it."""
    while os.getppid() == caller:
        time.sleep(LOOK)
    os._exit(1)


def perform(call: Call, place: int, task: bytes) -> tuple[int, bytes]:
    """Run one task in a worker; return its place, and its result or its exception, packed."""
    # Without this, every worker would print each library's warnings again.
    warnings.simplefilter("ignore")
    try:
        return place, pack(_loaded(call)(pickle.loads(task)), "a result")  # noqa: S301
    except Exception as error:  # noqa: BLE001 - raised again where the result is opened
        return place, _failure(error)


def _loaded(call: Call) -> Callable[[Any], Any]:
    if call.version != version("rafair"):
        raise InvalidInput(
            f"a worker has rafair {version('rafair')}, not {call.version}; "
            "install the same release on every machine"
        )
    os.environ.update(call.settings)
    torch.set_num_threads(call.threads)
    return _function(_ByKey(call.key, call.function))


@dataclass(frozen=True)
class _ByKey:
    """A function and its key; two are equal if their keys are, wherever their bytes lie."""

    key: str
    source: Raw | Reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByKey) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=1)
def _function(named: _ByKey) -> Callable[[Any], Any]:
    """Load a function; the one that was loaded last is kept."""
    content = named.source.read()
    try:
        function: Callable[[Any], Any] = pickle.loads(content)  # noqa: S301 - sent by the caller
    except Exception as error:
        raise InvalidInput(
            f"a worker cannot load what it is sent ({_in_one_line(error)}); "
            "install the same libraries on every machine"
        ) from error
    return function


def _failure(error: Exception) -> bytes:
    """Pack an exception; of one that cannot be packed, its class and text."""
    if not isinstance(error, RafairError):
        error.add_note("In a worker:\n" + "".join(traceback.format_exception(error)))
    error.__cause__ = error.__context__ = None
    try:
        content = pack(Failure(error), "an error")
        pickle.loads(content)  # noqa: S301 - some exceptions can be pickled but not unpickled
    except Exception:  # noqa: BLE001 - an exception of any class, with any constructor
        text = f"{type(error).__name__}: {error}"
        return pack(Failure(RuntimeError(text)), "an error")
    return content
