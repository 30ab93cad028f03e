"""The kernels on a processor without FMA and wide vectors, and without a compiler at all."""

import os
import subprocess
import sys

import pytest

COMPARISON = """
import itertools
import torch
import rafair
from rafair.attacks import RAFair
from rafair.problem import Counterparts, batching, counterpart_gradient_norms, forward_rows
from rafair.problem import gradient_rows, gradients, make_loss, walking
from rafair.bounds import crown
from rafair.bounds.network import no_pattern
from rafair.bounds.crown import linear_bound
from rafair.problem.dense import path
from rafair.bounds.network import layered_network

def results(model):
    x, y = torch.rand(19, 5, generator=torch.Generator().manual_seed(1)), torch.arange(19) % 2
    people = Counterparts.product([1, 4], [[0.0, 0.3, 1.0], torch.linspace(0, 1, 7).tolist()])
    loss = make_loss("mse")
    gradient = gradient_rows(model, x, y, loss)
    norms = counterpart_gradient_norms(model, x, y, people, loss)
    network, corners = layered_network(model), (x[:9].double() - 0.1, x[:9].double() + 0.1)
    goals = torch.full((9,), -9.0, dtype=torch.float64), 9.0
    bound = linear_bound(network, *corners, y[:9], no_pattern(network, 9), *goals)
    space = rafair.PerturbationSpace(0.2, [True, False, True, True, False])
    walked = RAFair(mode="false_fair", steps=3, step_size=0.05).run(
        model, x[:7], y[:7], people, space
    )
    return forward_rows(model, x), gradient.direction, norms, bound.lower, bound.slope, walked.x_adv

torch.manual_seed(0)
layers = [torch.nn.Linear(5, 9), torch.nn.ReLU(), torch.nn.Linear(9, 6), torch.nn.LeakyReLU()]
module = torch.nn.Sequential(*layers, torch.nn.Linear(6, 2)).requires_grad_(False)
model = rafair.wrap(module, output="logits")
assert path(model) == "kernels"
by_kernels = results(model)
gradients.dense_network = batching.dense_network = walking.dense_network = lambda _: None
crown.is_compiled = lambda _: False
for ours, theirs in zip(by_kernels, results(model), strict=True):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
"""


OLDEST = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}


@pytest.mark.parametrize("setting", [OLDEST, {"NUMBA_DISABLE_JIT": "1"}], ids=["oldest", "no JIT"])
def test_the_kernels_agree_with_torch(setting):
    command = [sys.executable, "-W", "error", "-c", COMPARISON]
    subprocess.run(command, check=True, env=os.environ | setting)
