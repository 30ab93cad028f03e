"""Finds the benchmarks: every module of ``rafair.datasets.benchmarks`` describes one of them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from rafair.datasets import benchmarks
from rafair.datasets.benchmark import Benchmark
from rafair.datasets.dataset import Dataset
from rafair.errors import InvalidInput

__all__ = ["benchmark", "benchmark_names", "load_dataset"]


@cache
def _registry() -> dict[str, Benchmark]:
    found = {}
    for module in pkgutil.iter_modules(benchmarks.__path__, f"{benchmarks.__name__}."):
        described: Benchmark = importlib.import_module(module.name).BENCHMARK
        found[described.name] = described
    return dict(sorted(found.items()))


def benchmark_names() -> tuple[str, ...]:
    """Return the names that ``load_dataset`` takes."""
    return tuple(_registry())


def benchmark(name: str) -> Benchmark:
    """Return the description of a benchmark.

    Raises
    ------
    InvalidInput
        If there is no benchmark of this name.
    """
    if name not in _registry():
        raise InvalidInput(f"unknown dataset {name!r}; use one of {', '.join(_registry())}")
    return _registry()[name]


def load_dataset(name: str) -> Dataset:
    """Load one of the embedded benchmarks.

    Parameters
    ----------
    name : {"adult", "bank", "compas", "credit"}

    Returns
    -------
    Dataset
        Frames in original units and float64 tensors in unit space; the split is fixed.

    Raises
    ------
    InvalidInput
        If there is no benchmark of this name.
    """
    return benchmark(name).load()
