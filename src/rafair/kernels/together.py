"""Kernels of several modules, compiled at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING

from numba import config

from rafair.kernels.compiling import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compile_together"]


def compile_together(*modules: str) -> None:
    """Compile what the machine does not keep of these modules, each in a process of its own.

    numba compiles one function at a time in a process. The other processes leave the machine code
    where this one finds it. If one of them fails, this process compiles its module on import.

    Parameters
    ----------
    *modules : str
        Names within ``rafair.kernels``. This process takes the first that is missing.
    """
    # An application that is frozen into one file has no interpreter to start.
    if os.cpu_count() == 1 or config.DISABLE_JIT or hasattr(sys, "frozen"):
        return
    missing = _missing(modules)
    if len(missing) < 2:
        return
    with ExitStack() as stack:
        others = [_compiling(module) for module in missing[1:]]
        for other in others:
            stack.enter_context(other)
            stack.callback(other.kill)
        import_module(f"rafair.kernels.{missing[0]}")
        for other in others:
            other.wait()


def _missing(modules: Sequence[str]) -> list[str]:
    """Return the modules whose machine code another process could leave to this one."""
    try:
        folder = cache_folder()
    except OSError:
        return []
    if not os.access(folder, os.W_OK):
        return []
    return [module for module in modules if not any(folder.glob(f"*/{module}.*.nbi"))]


def _compiling(module: str) -> subprocess.Popen[bytes]:
    """Start a process that imports a module, from the same places and into the same folder."""
    paths, quiet = os.pathsep.join(filter(None, sys.path)), subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603 - rafair itself
        [sys.executable, "-c", f"import rafair.kernels.{module}"],
        env=os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": config.CACHE_DIR},
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
