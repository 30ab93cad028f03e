"""RAFair over all counterparts against the bare loop over the same rows.

    pytest benchmarks/bench_hot_path.py

The bare loop runs before each round of each benchmark, and is what the ratios refer to.
``autograd`` is RAFair as it treats any torch module; both ways must end with the same instances,
near-ties left aside.
"""

from __future__ import annotations

import contextlib
from unittest import mock

import pytest
from bare import bare_loop

from conftest import DATASETS, make_task
from rafair.attacks import RAFair
from rafair.problem import batching, gradients, walking

STEPS = 20
MODES = ("true_biased", "false_fair", "false_biased")


def by_autograd(run):
    """Call something as if no model were known to be a dense ReLU network."""
    with contextlib.ExitStack() as stack:
        for where in (batching, gradients, walking):
            stack.enter_context(mock.patch.object(where, "dense_network", return_value=None))
        return run()


def bare(task):
    """Return the bare loop over all steps, ready to run."""
    rows = task.people.expand(task.x.float()).flatten(0, 1)
    labels = task.y.repeat_interleave(len(task.people))
    return lambda: bare_loop(task.model.module, rows, labels, STEPS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DATASETS)
def bench_rafair(measure, benchmark, n_seeds, name, mode):
    task = make_task(name, n_seeds)
    benchmark.group = name
    attack = RAFair(mode=mode, steps=STEPS)
    found = measure(
        lambda: attack.run(*task.arguments),
        beside=bare(task),
        label=f"rafair {mode}",
        rows=STEPS * len(task.x) * len(task.people),
    )
    slow = by_autograd(lambda: attack.run(*task.arguments))
    same = (found.x_adv == slow.x_adv).all(dim=1).double().mean()
    assert same >= 0.99, f"only {same:.3f} of the instances are the same"


@pytest.mark.parametrize("name", DATASETS)
def bench_three_modes(measure, benchmark, n_seeds, name):
    task = make_task(name, n_seeds)
    benchmark.group = name
    attacks, loop = [RAFair(mode=mode, steps=STEPS) for mode in MODES], bare(task)
    measure(
        lambda: [attack.run(*task.arguments) for attack in attacks],
        beside=lambda: [loop() for _ in attacks],
        label="rafair, three modes",
        rows=len(MODES) * STEPS * len(task.x) * len(task.people),
    )


@pytest.mark.parametrize("name", DATASETS)
def bench_rafair_by_autograd(measure, benchmark, n_seeds, name):
    task = make_task(name, n_seeds)
    benchmark.group = name
    attack = RAFair(mode="false_fair", steps=STEPS)
    measure(
        lambda: by_autograd(lambda: attack.run(*task.arguments)),
        beside=bare(task),
        label="rafair false_fair, autograd",
        rows=STEPS * len(task.x) * len(task.people),
    )
