"""Whether the kernels can be compiled on this machine."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module

__all__ = ["compiles"]

# An audit needs all of them.
OF_NETWORKS = ("rows", "walk", "bounds")


@cache
def compiles(*modules: str) -> bool:
    """Tell whether these modules of ``rafair.kernels`` can be compiled; if not, say so once."""
    try:
        from rafair.kernels.together import compile_together

        compile_together(*OF_NETWORKS)
        for module in modules:
            import_module(f"rafair.kernels.{module}")
    except Exception as error:  # noqa: BLE001 - whatever a compiler raises; torch does it as well
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warnings.warn(
            f"torch computes, slowly, since the kernels cannot be compiled ({reason})",
            stacklevel=2,
        )
        return False
    return True
