"""How the kernels are compiled: for fixed types, once per machine and release."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba import types

from rafair.kernels.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "FLOATS",
    "INTEGERS",
    "NETWORK",
    "NUMBERS",
    "TABLE",
    "WORDS",
    "allocating",
    "cache_folder",
    "entry",
    "inner",
    "written_out",
]

F = TypeVar("F", bound="Callable[..., Any]")

# The types of the arguments.
NUMBERS = types.float64[::1]
INTEGERS = types.int64[::1]
FLOATS, TABLE, WORDS = types.float32[::1], types.float32[:, ::1], types.uint32[:, ::1]
NETWORK = types.NamedTuple(
    [FLOATS, FLOATS, FLOATS, TABLE, INTEGERS, INTEGERS, INTEGERS, types.int64, types.int64], Network
)


# numba counts the references to each array, by atomic operations, on which small functions of small
# arrays spent half of their time. What allocates nothing needs no counts, and numba compiles it
# without.
COUNTED: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True}
UNCOUNTED: dict[str, Any] = {**COUNTED, "_nrt": False}
# What only kernels call needs no entrance from Python, which takes as long to compile as the rest.
HIDDEN: dict[str, Any] = {"no_cpython_wrapper": True}


def inner(function: F) -> F:
    """Mark a function that kernels call; it is compiled as a part of them, and allocates nothing.

    It returns no array, either.
    """
    return cast("F", numba.njit(**UNCOUNTED, **HIDDEN)(function))


def written_out(function: F) -> F:
    """Mark a function that is written out where it is called.

    One that returns a part of an array must be. A long one that is called in one place may be: as
    an ``inner`` function it would be compiled twice, on its own and as a part of the kernel.
    """
    return cast("F", numba.njit(inline="always", **UNCOUNTED, **HIDDEN)(function))


def allocating(function: F) -> F:
    """Mark a function that kernels call and that may allocate arrays, or return them."""
    return cast("F", numba.njit(**COUNTED, **HIDDEN)(function))


def entry(*arguments: Any, allocates: bool = False) -> Callable[[F], F]:
    """Compile a kernel for arguments of these types; other threads run while it runs.

    The machine code is kept in a folder of the user's. If it can neither be read nor written, the
    kernel is compiled anew in each process.
    """
    signature, how = types.void(*arguments), COUNTED if allocates else UNCOUNTED

    def compiled(function: F) -> F:
        try:
            with _cache():
                made = numba.njit(signature, nogil=True, cache=True, **how)(function)
        except Exception:  # noqa: BLE001 - whatever a read-only or damaged folder raises
            made = numba.njit(signature, nogil=True, **how)(function)
        return cast("F", made)

    return compiled


def cache_folder() -> Path:
    """Return the folder of the machine code of these sources alone; make it if there is none.

    numba recompiles a kernel if the kernel's own file changes, but not if a function that it calls
    does. Therefore the folder's name depends on all files of this package.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    home = Path(
        numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    )
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    folder = home / f"rafair-{hashlib.sha256(sources).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _cache() -> Iterator[None]:
    """Have numba keep machine code in that folder."""
    given = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = given
