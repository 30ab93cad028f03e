"""PGD and APGD of RAFair against torchattacks, ART and foolbox, at equal seeds, steps and ε.

    bash benchmarks/peers-environment.sh DIR && DIR/bin/pytest benchmarks/bench_peers.py

The reference of each group is RAFair. ``peers.py`` says how the libraries are made to do the same,
and runs them in turn instead of one after the other, for machines whose speed drifts.
"""

from __future__ import annotations

from functools import cache

import pytest

from conftest import DATASETS, make_task

pytest.importorskip("torchattacks", reason="bash benchmarks/peers-environment.sh DIR")

from peers import LIBRARIES, Budget, Task, check

BUDGET = Budget(steps=20, epsilon=0.2, step_size=0.01, start="default")
WHOLE = None


@cache
def runs_of(library: str, name: str, size: int | None):
    found = make_task(name, size)
    task = Task(found.data, found.model, found.x, found.y)
    return task, LIBRARIES[library](task, BUDGET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("attack", ["PGD", "APGD"])
@pytest.mark.parametrize("size", [200, WHOLE], ids=["200", "whole"])
@pytest.mark.parametrize("name", DATASETS)
def bench_peers(measure, benchmark, name, size, attack, library):
    task, runs = runs_of(library, name, size)
    if attack not in runs:
        pytest.skip(f"{library} has no {attack}")
    benchmark.group = f"{name} {len(task.x)} {attack}"
    found = measure(
        lambda: runs[attack](0),
        label=library,
        rows=BUDGET.steps * len(task.x),
        **({"against": "reference"} if library == "rafair" else {}),
    )
    check(task, BUDGET.epsilon, found)
