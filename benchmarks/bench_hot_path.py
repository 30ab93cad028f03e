"""RAFair over all counterparts against the bare loop over the same rows.

    pytest benchmarks/bench_hot_path.py

The bare loop runs before each round of each benchmark, and is what the ratios refer to. It has the
allocator as RAFair leaves it, which keeps freed memory and so spares the loop page faults.
``autograd`` is RAFair as it treats any torch module. ``products`` are the matrix products alone,
what RAFair's time over all counterparts can approach while it differentiates all of them.
"""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from bare import bare_loop
from torch.nn.functional import linear

from conftest import DATASETS, make_task
from rafair.attacks import RAFair
from rafair.problem import batching, gradients
from rafair.problem.dense import dense_network

STEPS = 20
MODES = ("true_biased", "false_fair", "false_biased")


def by_autograd(run):
    """Call something as if no model were known to be a dense ReLU network."""
    with (
        mock.patch.object(gradients, "dense_network", return_value=None),
        mock.patch.object(batching, "dense_network", return_value=None),
    ):
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
    assert torch.equal(found.trajectory.points, slow.trajectory.points), "other instances"


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


def products(network, rows, size):
    """Send rows through the layers and as many back, and keep nothing."""
    first, *others = (weight for weight, _ in network.layers)
    for x in rows.split(size):
        for layer, kernel in zip(network.layers, (*network.layer_kernels, linear), strict=True):
            x = kernel(x, *layer)
        for weight, kernel in zip(others[::-1], network.product_kernels[::-1], strict=True):
            x = kernel(x, weight)
        torch.mm(x, first)


@pytest.mark.parametrize("name", DATASETS)
def bench_products(measure, benchmark, n_seeds, name):
    task = make_task(name, n_seeds)
    benchmark.group = name
    network, size = dense_network(task.model), batching.rows_per_call("auto", task.model)
    rows = task.people.expand(task.x.float()).flatten(0, 1)
    measure(
        lambda: [products(network, rows, size) for _ in range(STEPS)],
        beside=bare(task),
        label="products",
        rows=STEPS * len(rows),
    )
