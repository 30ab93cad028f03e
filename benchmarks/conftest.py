"""What the benchmarks share: options, problems, and the table of ratios at the end.

A benchmark belongs to a group. One of a group may be its reference (``against="reference"`` in
``extra_info``): the ratios of the others are their medians divided by it. A benchmark may also
bring a reference of its own, which then runs before each of its rounds: so both see the same
machine, whose speed may drift. Where benchmarks of a group have a size, the slope of log time over
log size is fitted; it is 1 where cost is linear.
"""

from __future__ import annotations

import math
import platform
import re
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from bare import timed

import rafair
from rafair.fairness import choose_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DATASETS = ("adult", "bank", "compas", "credit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--threads", type=int, default=2, help="threads of torch [default: 2]")
    parser.addoption("--seeds", type=int, default=200, help="seeds per dataset [default: 200]")
    parser.addoption("--rounds", type=int, default=5, help="rounds of a benchmark [default: 5]")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(config.getoption("--threads"))


@dataclass(frozen=True, eq=False)
class Task:
    """A benchmark network, the seeds to attack, I(v) and Δ."""

    name: str
    data: rafair.Dataset
    model: rafair.Classifier
    x: torch.Tensor
    y: torch.Tensor
    people: rafair.Counterparts
    space: rafair.PerturbationSpace

    @property
    def arguments(self) -> tuple:
        return self.model, self.x, self.y, self.people, self.space


@cache
def make_task(name: str, seeds: int | None, sample: int | None = None) -> Task:
    data = rafair.load_dataset(name)
    chosen = choose_seeds(data.test.x, seeds)
    return Task(
        name,
        data,
        rafair.baseline(name),
        data.test.x[chosen],
        data.test.y[chosen],
        rafair.Counterparts.of(data.schema, sample=sample),
        rafair.PerturbationSpace.of(data.schema),
    )


@pytest.fixture
def n_seeds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--seeds"))


@pytest.fixture
def measure(benchmark, request: pytest.FixtureRequest) -> Callable[..., object]:
    """Time a function: one round to warm up, then as many as asked for.

    ``beside`` runs, and is timed, before each of them.
    """

    def measured(
        run: Callable[[], object], *, beside: Callable[[], object] | None = None, **about: object
    ) -> object:
        benchmark.extra_info.update(about)
        rounds = int(request.config.getoption("--rounds"))
        seconds: list[float] = []
        before = None if beside is None else lambda: seconds.append(timed(beside))
        found = benchmark.pedantic(run, setup=before, rounds=rounds, warmup_rounds=1)
        if seconds:
            benchmark.extra_info["beside"] = statistics.median(seconds[-rounds:])
        return found

    return measured


def processor() -> str:
    """Return the processor's name and family, and torch's number of threads."""
    described = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", described, re.MULTILINE))
    name = ", ".join(f"{key} {value}" for key, value in fields.items()) or platform.processor()
    return f"{name}; {torch.get_num_threads()} threads"


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    found = [bench for bench in getattr(session, "benchmarks", []) if bench.stats.rounds]
    groups: dict[str, list] = {}
    for bench in found:
        groups.setdefault(bench.group or bench.name, []).append(bench)
    if groups:
        terminalreporter.section("ratios of medians, and exponents of cost")
        terminalreporter.write_line(processor())
    for group, benches in groups.items():
        for line in (*_ratios(benches), *_exponent(benches)):
            terminalreporter.write_line(f"{group:<24}{line}")


def _ratios(benches: Iterable) -> Iterable[str]:
    references = (b.stats.median for b in benches if b.extra_info.get("against") == "reference")
    shared = next(references, None)
    for bench in benches:
        seconds = bench.stats.median
        reference = bench.extra_info.get("beside", shared)
        ratio = f"   ratio {seconds / reference:5.2f}" if reference else ""
        rows = bench.extra_info.get("rows")
        rate = f"   {rows / seconds / 1e6:6.2f} million rows/s" if rows else ""
        label = bench.extra_info.get("label", bench.name)
        yield f"{label:<34}{1e3 * seconds:>10.2f} ms{ratio}{rate}"


def _exponent(benches: Iterable) -> Iterable[str]:
    sized = [(b.extra_info["size"], b.stats.median) for b in benches if "size" in b.extra_info]
    if len(sized) < 2:
        return
    sizes, times = ([math.log(pair[part]) for pair in sized] for part in (0, 1))
    middle, mean = sum(sizes) / len(sizes), sum(times) / len(times)
    slope = sum((s - middle) * (t - mean) for s, t in zip(sizes, times, strict=True))
    yield f"exponent {slope / sum((s - middle) ** 2 for s in sizes):.3f}"
