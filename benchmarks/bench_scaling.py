"""How the cost of RAFair grows: with seeds, counterparts, the width of a network, and workers;
and with rows at once.

pytest benchmarks/bench_scaling.py
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from bare import bare_loop

import rafair
from conftest import DATASETS, make_task
from rafair.attacks import RAFair
from rafair.engine.backends import Engine

STEPS = 5
ATTACK = RAFair(mode="false_fair", steps=STEPS)


@pytest.mark.parametrize("seeds", [50, 100, 200, 400, 800, 1600])
def bench_seeds(measure, benchmark, seeds):
    task = make_task("adult", seeds)
    benchmark.group = "seeds (adult)"
    measure(
        lambda: ATTACK.run(*task.arguments),
        label=f"{seeds} seeds",
        size=seeds,
        rows=STEPS * seeds * len(task.people),
    )


@pytest.mark.parametrize("counterparts", [46, 92, 185, 370, 740])
def bench_counterparts(measure, benchmark, counterparts):
    task = make_task("adult", 400, counterparts)
    benchmark.group = "counterparts (adult)"
    measure(
        lambda: ATTACK.run(*task.arguments),
        label=f"{counterparts} counterparts",
        size=counterparts,
        rows=STEPS * 400 * counterparts,
    )


@pytest.mark.parametrize("batch_size", [2048, 4096, 8192, 16384, 32768])
@pytest.mark.parametrize("name", DATASETS)
def bench_batch_size(measure, benchmark, name, batch_size):
    """Rows that go through a network at once, against as many as RAFair takes by itself."""
    task = make_task(name, 200)
    benchmark.group = f"rows at once ({name})"
    attack = replace(ATTACK, batch_size=batch_size)
    measure(
        lambda: attack.run(*task.arguments),
        beside=lambda: ATTACK.run(*task.arguments),
        label=f"{batch_size} rows / auto",
        rows=STEPS * len(task.x) * len(task.people),
    )


def _network(width: int, n_features: int) -> torch.nn.Sequential:
    torch.manual_seed(0)
    widths = (n_features, width, width, width)
    layers: list[torch.nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 2)).requires_grad_(False)


@pytest.mark.parametrize("width", [16, 64, 256, 1024])
def bench_width(measure, benchmark, width):
    """All counterparts of 100 people against the bare loop over the same rows."""
    task = make_task("credit", 100)
    benchmark.group = f"width {width}"
    module = _network(width, task.x.shape[1])
    model = rafair.wrap(module, task.data.schema, output="logits")
    rows = task.people.expand(task.x.float()).flatten(0, 1)
    labels = task.y.repeat_interleave(len(task.people))
    measure(
        lambda: ATTACK.run(model, *task.arguments[1:]),
        beside=lambda: bare_loop(module, rows, labels, STEPS),
        label="rafair / bare loop",
        rows=STEPS * len(rows),
    )


@pytest.mark.parametrize("jobs", [1, 2])
def bench_workers(measure, benchmark, jobs):
    """An audit of 800 people as a whole; one worker uses all threads, each of several its own."""
    task = make_task("adult", None)
    benchmark.group = "workers (audit, adult)"
    measure(
        lambda: rafair.audit(
            task.model, task.data, attacks="rafair-ff", n_seeds=800, steps=10, engine=Engine(jobs)
        ),
        label=f"{jobs} jobs",
        **({"against": "reference"} if jobs == 1 else {}),
    )
