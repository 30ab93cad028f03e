"""Small random networks of all sizes of weights against enumeration on a fine grid of Δ."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.certificates import certify, certify_cells
from rafair.fairness import TF

PROVED, BROKEN = 1, -1
GRID = torch.linspace(0, 1, 21, dtype=torch.float64)
PEOPLE = rafair.Counterparts.product([2], [[0.0, 0.4, 1.0]])
N = 8


def fuzzed(seed, hidden, k, dtype, scale, given, epsilon, activation=nn.ReLU):
    """A random problem with two features that move; some seeds lie on the decision boundary."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [3, *([6] * hidden), k]
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out)
        layer.weight.data = torch.randn(fan_out, fan_in, generator=generator) * scale
        layer.bias.data = torch.randn(fan_out, generator=generator) * scale * 0.5
        layers += [layer, activation()]
    model = rafair.wrap(nn.Sequential(*layers[:-1]).to(dtype).eval(), output="logits")
    x = torch.rand(N, 3, generator=generator, dtype=torch.float64).to(given)
    x[: N - 2, 2] = PEOPLE.grid[torch.randint(3, (N - 2,), generator=generator), 0].to(given)
    y = model.scores(x.to(dtype)).argmax(dim=1)
    y[::4] = (y[::4] + 1) % k
    return model, x, y, PEOPLE, rafair.PerturbationSpace(epsilon, [True, True, False])


def judged_on_a_grid(problem, K):
    """Verdicts on 441 points of Δ of every seed: accurate, fair, cells, (441, n) each."""
    model, x, y, people, space = problem
    low, high = space.bounds(x)
    a, b = torch.meshgrid(GRID, GRID, indexing="ij")
    share = torch.stack([a.flatten(), b.flatten(), torch.zeros(441)], dim=1).to(x.dtype)
    points = space.project(low + share.unsqueeze(1) * (high - low), x).flatten(0, 1)
    verdict = rafair.judge(model, points, y.repeat(441), people, K=K)
    return (found.view(441, N) for found in (verdict.accurate, verdict.fair, verdict.cells))


ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.Sigmoid, nn.ELU, nn.Softplus, nn.Hardswish]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    seed=st.integers(0, 100_000),
    hidden=st.sampled_from([1, 2, 3]),
    k=st.sampled_from([2, 3]),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
    given_=st.sampled_from([torch.float32, torch.float64]),
    epsilon=st.sampled_from([1e-7, 0.02, 0.2]),
    K=st.sampled_from([0.0, 2.0]),
    activation=st.sampled_from(ACTIVATIONS),
)
@settings(max_examples=6)
def test_no_verdict_is_contradicted(dtype, seed, hidden, k, scale, given_, epsilon, K, activation):
    problem = fuzzed(seed, hidden, k, dtype, scale, given_, epsilon, activation)
    model, x, y, people, space = problem
    accurate, fair, cells = judged_on_a_grid(problem, K)
    truths = {"accurate": accurate, "fair": fair, "accurate_fair": cells == TF}
    for claim, holds in truths.items():
        found = certify(*problem, 60, claim=claim, K=K)
        proved, broken = found.status == PROVED, found.status == BROKEN
        assert holds[:, proved].all()
        assert torch.equal(~found.witness.isnan().any(dim=1), broken)
        if broken.any():
            witness = found.witness[broken]
            assert space.contains(witness, x[broken]).all()
            verdict = rafair.judge(model, witness, y[broken], people, K=K)
            right = {"accurate": verdict.accurate, "fair": verdict.fair}
            assert not right.get(claim, verdict.cells == TF).any()
    found = certify_cells(*problem, 10, K=K)
    rows = torch.arange(N)
    for point in cells:
        assert (found.status[rows, point] != -1).all()
    for cell in range(4):
        reached = found.status[:, cell] == 1
        if reached.any():
            witness = found.witness[reached, cell]
            assert (rafair.judge(model, witness, y[reached], people, K=K).cells == cell).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_and_large_weights_are_decided_too(dtype):
    for scale in (1e-4, 1.0, 1e4):
        found = [certify(*fuzzed(seed, 2, 2, dtype, scale, dtype, 0.02)) for seed in (3, 5)]
        status = torch.cat([one.status for one in found])
        assert (status == PROVED).any()
        assert (status != 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
def test_smooth_networks_are_decided_almost_always(activation):
    problems = [fuzzed(seed, 2, 2, torch.float32, 1.0, torch.float64, 0.05, activation)
                for seed in range(4)]  # fmt: skip
    status = torch.cat([certify(*problem, 500).status for problem in problems])
    assert {PROVED, BROKEN} <= set(status.tolist())
    assert (status == 0).float().mean() < 0.1


def test_a_margin_within_the_slack_is_neither_proved_nor_broken():
    """The exact margin is positive, but smaller than what float32 may lose."""
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[1000.0, 0.0], [1000.0, 0.0]])
    layer.bias.data = torch.tensor([1e-6, 0.0])
    model = rafair.wrap(nn.Sequential(layer), output="logits")
    people = rafair.Counterparts.product([1], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.0, [True, False])
    x, y = torch.tensor([[0.03, 0.0]]), torch.tensor([0])
    assert rafair.judge(model, x, y, people).cells.tolist() == [TF]
    assert certify(model, x, y, people, space).status.tolist() == [0]
    double = rafair.wrap(nn.Sequential(layer).double(), output="logits")
    assert certify(double, x.double(), y, people, space).status.tolist() == [PROVED]
