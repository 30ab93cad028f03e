"""What travels to a worker and back, and what a worker does with it."""

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
# Settings of the caller's process that a result can depend on.
SETTINGS = ("MKL_CBWR",)


# Seconds between two looks at whether the caller is still there.
LOOK = 2.0


@dataclass(frozen=True)
class Raw:
    """A function's bytes, sent along with every task."""

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
    """A function on its way to workers, and what must hold where it runs.

    Attributes
    ----------
    function : Raw or Reference
    key : str
        What the function is known by in a worker that has loaded it already.
    threads : int
        How many threads torch may use.
    version : str
        Release of rafair that the caller has.
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
        """Describe a packed function; its content may be somewhere else than here."""
        settings = tuple((name, os.environ[name]) for name in SETTINGS if name in os.environ)
        key = hashlib.sha256(content).hexdigest()
        return cls(function, key, threads, VERSION, settings)


@dataclass(frozen=True)
class Failure:
    """An exception that a function ended with."""

    error: Exception


def pack(what: Any, name: str) -> bytes:
    """Return the bytes that stand for an object in another process.

    Raises
    ------
    InvalidInput
        If it holds something that cannot leave this process.
    """
    import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(what)
    except Exception as error:  # whatever a library's object raises
        raise InvalidInput(
            f"{name} cannot be sent to another process ({_in_one_line(error)}); "
            "use --jobs 1 without --engine ray"
        ) from error
    return content


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def opened(content: bytes) -> Any:
    """Return what a worker sent.

    Raises
    ------
    Exception
        The one that the function raised there.
    """
    result = pickle.loads(content)  # noqa: S301 - written by a worker of this very call
    if isinstance(result, Failure):
        raise result.error
    return result


def begin(caller: int) -> None:
    """Prepare a process: it leaves Ctrl-C to its caller, and does not outlive it.

    Parameters
    ----------
    caller : int
        Number of the process that started this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(caller,), daemon=True).start()


def _end_after(caller: int) -> None:
    """End this process once its caller is gone: killed, it cannot tell anybody."""
    while os.getppid() == caller:
        time.sleep(LOOK)
    os._exit(1)


def perform(call: Call, place: int, task: bytes) -> tuple[int, bytes]:
    """Do one task in a worker; return its place and its result, or what it raised, packed."""
    # Each worker would print every library's warning; this process has shown it once at most.
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
    """Equal wherever the key is: a reference to the same bytes may be another object."""

    key: str
    source: Raw | Reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByKey) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=1)
def _function(named: _ByKey) -> Callable[[Any], Any]:
    """Load a function, or return the one that was loaded for the last task."""
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
    """Pack an exception, or what is known of one that cannot be packed."""
    if not isinstance(error, RafairError):
        error.add_note("In a worker:\n" + "".join(traceback.format_exception(error)))
    error.__cause__ = error.__context__ = None
    try:
        content = pack(Failure(error), "an error")
        pickle.loads(content)  # noqa: S301 - some exceptions can only be written
    except Exception:  # noqa: BLE001 - an exception of any class, with any constructor
        text = f"{type(error).__name__}: {error}"
        return pack(Failure(RuntimeError(text)), "an error")
    return content
