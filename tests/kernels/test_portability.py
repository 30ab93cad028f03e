"""The kernels on a processor without FMA and wide vectors, and without a compiler at all."""

import os
import subprocess
import sys

import pytest

COMPARISON = """
import itertools
import torch
import rafair
from rafair.problem import Counterparts, batching, counterpart_gradient_norms, forward_rows
from rafair.problem import gradient_rows, gradients, make_loss
from rafair.problem import bounds
from rafair.problem.bound import no_pattern
from rafair.problem.bounds import linear_bound
from rafair.problem.dense import path
from rafair.problem.network import layered_network

def results(model):
    x, y = torch.rand(19, 5, generator=torch.Generator().manual_seed(1)), torch.arange(19) % 2
    people = Counterparts.product([1, 4], [[0.0, 0.3, 1.0], torch.linspace(0, 1, 7).tolist()])
    loss = make_loss("mse")
    gradient = gradient_rows(model, x, y, loss)
    norms = counterpart_gradient_norms(model, x, y, people, loss)
    network, corners = layered_network(model), (x[:9].double() - 0.1, x[:9].double() + 0.1)
    goals = torch.full((9,), -9.0, dtype=torch.float64), 9.0
    bound = linear_bound(network, *corners, y[:9], no_pattern(network, 9), *goals)
    return forward_rows(model, x), gradient.direction, norms, bound.lower, bound.slope

torch.manual_seed(0)
layers = [torch.nn.Linear(5, 9), torch.nn.ReLU(), torch.nn.Linear(9, 6), torch.nn.ReLU()]
module = torch.nn.Sequential(*layers, torch.nn.Linear(6, 2)).requires_grad_(False)
model = rafair.wrap(module, output="logits")
assert path(model) == "kernels"
by_kernels = results(model)
gradients.dense_network = batching.dense_network = lambda _: None
bounds.is_compiled = lambda _: False
for ours, theirs in zip(by_kernels, results(model), strict=True):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
"""


OLDEST = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}


@pytest.mark.parametrize("setting", [OLDEST, {"NUMBA_DISABLE_JIT": "1"}], ids=["oldest", "no JIT"])
def test_the_kernels_agree_with_torch(setting):
    command = [sys.executable, "-W", "error", "-c", COMPARISON]
    subprocess.run(command, check=True, env=os.environ | setting)
