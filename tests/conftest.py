"""Shared small problems (random ReLU networks, a small I(v), a space) and finished audits."""

import gc
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn

import rafair
from rafair.engine import backends

# Read where Keras is first imported, whichever test that is.
os.environ.setdefault("KERAS_BACKEND", "torch")

settings.register_profile(
    "rafair",
    deadline=None,
    max_examples=25,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("rafair")
# Small tensors: a second thread only waits for the first.
torch.set_num_threads(1)
# Processes that one test has started work for the next ones, too.
backends.IDLE = 600

# What takes longest comes first, so that no process works alone at the end.
FIRST = (
    "tests/trees/",
    "tests/engine/",
    "tests/reproduce/",
    "tests/docs/",
    "tests/report/",
    "tests/training/",
    "tests/runs/",
    "tests/auditing/",
)
# Files that share long fixtures of the session: one process takes all of such a folder.
TOGETHER = ("tests/comparing/", "tests/report/", "tests/reproduce/", "tests/trees/")


def pytest_collection_modifyitems(items):
    def place(item):
        begun = [item.nodeid.startswith(folder) for folder in FIRST]
        return begun.index(True) if any(begun) else len(FIRST)

    items.sort(key=place)


def pytest_collection_finish():
    gc.freeze()  # what is imported stays; collections need not look through it each time


# Those of one row share functions, and two processes would compile these twice.
KERNELS = (
    ("rows", "walk", "bounds", "stumps"),
    ("tree_scores", "tree_search", "tree_cells"),
)


def pytest_xdist_setupnodes():
    """Compile the kernels before the processes begin, which would each compile all of them."""
    lines = ("; ".join(f"import rafair.kernels.{name}" for name in names) for names in KERNELS)
    for process in [subprocess.Popen([sys.executable, "-c", line]) for line in lines]:
        process.wait()


def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return ByFileOrFolder(config, log) if config.getoption("dist") == "loadfile" else None


WIDTH = 6
COLUMNS = (1, 4)
VALUES = ([0.0, 0.45, 1.0], [0.0, 1.0])
MASK = [column not in COLUMNS for column in range(WIDTH)]


@dataclass(frozen=True, eq=False)
class Problem:
    """A model with what an attack needs beside it; the first rows of x are in I(v)'s grid."""

    model: rafair.Classifier
    x: torch.Tensor
    y: torch.Tensor
    counterparts: rafair.Counterparts
    space: rafair.PerturbationSpace

    @property
    def module(self):
        return self.model.module

    @property
    def grid(self):
        return [tuple(row) for row in self.counterparts.grid.tolist()]

    @property
    def arguments(self):
        return self.model, self.x, self.y, self.counterparts, self.space

    def but(self, **changes):
        return replace(self, **changes)

    def rows(self, rows):
        return replace(self, x=self.x[rows], y=self.y[rows])


def random_network(width, classes, *, seed=0, dtype=torch.float64, sparse=False, gain=2.0):
    """Three dense layers with ReLU between; sparse ones have gradients that are exactly zero."""
    generator = torch.Generator().manual_seed(seed)
    sizes = (width, 10, 8, classes)
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        weight = torch.randn(fan_out, fan_in, generator=generator, dtype=torch.float64)
        if sparse:
            keep = torch.rand(fan_out, fan_in, generator=generator, dtype=torch.float64) < 0.35
            weight = weight * keep
        bias = torch.randn(fan_out, generator=generator, dtype=torch.float64) * 0.3
        layer.weight.data = weight * gain / fan_in**0.5
        layer.bias.data = bias
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(dtype).eval()


def random_problem(k=2, *, seed=0, n=12, dtype=torch.float64, sparse=False, epsilon=0.06):
    module = random_network(WIDTH, k, seed=seed, dtype=dtype, sparse=sparse)
    generator = torch.Generator().manual_seed(seed + 1000)
    x = torch.rand(n, WIDTH, generator=generator, dtype=torch.float64)
    counterparts = rafair.Counterparts.product(COLUMNS, VALUES)
    on_grid = torch.randint(len(counterparts), (n,), generator=generator)
    x[: n // 2 + 1, list(COLUMNS)] = counterparts.grid[on_grid[: n // 2 + 1]]
    y = torch.randint(k, (n,), generator=generator)
    space = rafair.PerturbationSpace(epsilon=epsilon, perturbable=MASK)
    return Problem(rafair.wrap(module, output="logits"), x, y, counterparts, space)


def masked_problem(*, seed=0, n=20, epsilon=0.1, deep=False):
    """Everybody's last neurons sleep, so that every gradient is exactly zero; moved, some wake."""
    problem = random_problem(2, seed=seed, n=n, epsilon=epsilon)
    first = problem.module[:2] if deep else nn.Sequential()
    hidden = nn.Linear(10 if deep else WIDTH, 3, dtype=torch.float64)
    last = nn.Linear(3, 2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    shape = hidden.weight.shape
    hidden.weight.data = torch.randn(shape, generator=generator, dtype=torch.float64)
    everyone = torch.cat([problem.x, problem.counterparts.rows(problem.x)])
    with torch.no_grad():
        hidden.bias -= hidden(first(everyone)).amax(dim=0) + 0.02
    last.weight.data = torch.tensor([[0.0] * 3, [50.0] * 3], dtype=torch.float64)
    last.bias.data = torch.tensor([1.0, 0.0], dtype=torch.float64)
    module = nn.Sequential(*first, hidden, nn.ReLU(), last).eval()
    model = rafair.wrap(module, output="logits")
    return problem.but(model=model, y=torch.zeros_like(problem.y))


@pytest.fixture(scope="session")
def make_network():
    return random_network


@pytest.fixture(scope="session")
def make_problem():
    return random_problem


@pytest.fixture(scope="session")
def make_masked():
    return masked_problem


@pytest.fixture(scope="session", params=[2, 3], ids=["k=2", "k=3"])
def problem(request):
    return random_problem(request.param, seed=request.param)


@pytest.fixture(scope="session")
def credit():
    return rafair.load_dataset("credit")


@pytest.fixture(scope="session")
def credit_model():
    return rafair.baseline("credit")


# With time enough on any machine, so that the proofs end at their number of boxes.
BRIEF = {"steps": 3, "step_size": 0.05, "max_nodes": 60, "max_seconds": 600.0}


@pytest.fixture(scope="session")
def credit_run(credit, credit_model):
    """All counterparts, the last iterate."""
    return rafair.audit(credit_model, credit, n_seeds=24, **BRIEF)


@pytest.fixture(scope="session")
def worst_run(credit, credit_model):
    return rafair.audit(credit_model, credit, n_seeds=24, **BRIEF, select="worst")


@pytest.fixture(scope="session")
def certified_run(credit, credit_model):
    """All counterparts; of those that are decided rightly some are proved and some break."""
    from brief import brief

    with brief():
        return rafair.audit(
            credit_model,
            credit,
            attacks=["rafair", "ensemble"],
            n_seeds=16,
            steps=4,
            step_size=0.02,
            certify=True,
            curve=True,
            max_nodes=300,
            max_seconds=600.0,
        )


def make_people(seed=0, n=80):
    """A table whose feature names are those of the instances' own columns."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "seed": rng.integers(0, 9, n),
            "label": rng.normal(0, 1, n).round(2),
            "cell": rng.choice(["TF", "red", "blue"], n),
            "age": rng.integers(20, 30, n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    people["paid"] = np.where(people["seed"] + people["label"] * 3 > 4, "yes", "no")
    return people


@pytest.fixture(scope="session")
def own_data():
    return rafair.read_table(make_people(), label="paid", sensitive=["sex", "age"], name="own")


@pytest.fixture(scope="session")
def own_model(own_data):
    return rafair.train_fcnn(own_data, epochs=3)


@pytest.fixture(scope="session")
def own_run(own_data, own_model):
    return rafair.audit(own_model, own_data, n_seeds=8, steps=3, step_size=0.1)
