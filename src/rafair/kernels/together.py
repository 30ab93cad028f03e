"""Kernels of several modules, compiled at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from importlib import import_module

from numba import config

from rafair.kernels.compiling import kept

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
    try:
        missing = [module for module in modules if not kept(module)]
    except OSError:  # what another process compiles would be lost
        return
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
