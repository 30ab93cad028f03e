"""Networks that are no plain chains, rewritten as linear layers with ReLU between them."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import rafair
from rafair.bounds.network import layered_network, why_not_layered
from rafair.certificates import certify
from rafair.fairness import judge


class Residual(nn.Module):
    def __init__(self, width, activation):
        super().__init__()
        self.inner, self.outer = nn.Linear(width, 9), nn.Linear(9, width)
        self.activation = activation

    def forward(self, x):
        return self.activation(x + self.outer(self.activation(self.inner(x))))


class Dense(nn.Module):
    """Uses an early value late, before and after activations."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        early = self.first(x)
        hidden = functional.leaky_relu(early, 0.2) + x
        hidden = torch.relu(self.second(hidden)) + early
        return self.last(functional.relu(hidden) + x)


def normalised():
    layer = nn.BatchNorm1d(8)
    layer.running_mean.uniform_(-1, 1)
    layer.running_var.uniform_(0.5, 2)
    with torch.no_grad():
        layer.weight.uniform_(-2, 2)
        layer.bias.uniform_(-1, 1)
    return layer


BODIES = {
    "leaky": lambda: [nn.Linear(6, 8), nn.LeakyReLU(0.1), nn.Linear(8, 2)],
    "leaky first": lambda: [nn.LeakyReLU(-0.5), nn.Linear(6, 2)],
    "one slope": lambda: [nn.Linear(6, 8), nn.PReLU(), nn.Linear(8, 2)],
    "slopes": lambda: [nn.Linear(6, 8), nn.PReLU(8), nn.Linear(8, 2)],
    "clipped": lambda: [
        nn.Linear(6, 8),
        nn.ReLU6(),
        nn.Linear(8, 8),
        nn.Hardtanh(-0.2, 0.3),
        nn.Linear(8, 3),
    ],
    "normalised": lambda: [nn.Linear(6, 8), normalised(), nn.ReLU(), normalised(), nn.Linear(8, 2)],
    "residual": lambda: [Residual(6, nn.ReLU()), Residual(6, nn.LeakyReLU(0.3)), nn.Linear(6, 2)],
    "dense": lambda: [Dense()],
    "ReLU last": lambda: [nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.ReLU()],
    "one logit": lambda: [nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 1)],
}


def model_of(name, seed=0):
    torch.manual_seed(seed)
    module = nn.Sequential(*BODIES[name]()).eval().requires_grad_(False)
    return rafair.wrap(module, output="logits")


@pytest.mark.parametrize("name", BODIES)
def test_the_rewritten_network_computes_the_same(name):
    model = model_of(name)
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    ours, theirs = layered_network(model).scores(rows.double()), model.scores(rows).double()
    if ours.shape[1] == 2 and theirs.shape[1] == 2 and name == "one logit":
        ours, theirs = (scores[:, 1] - scores[:, 0] for scores in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BODIES)
def test_certificates_of_it_agree_with_points_of_the_box(make_problem, name):
    problem = make_problem(2, seed=3, n=8).but(model=model_of(name))
    for claim in ("accurate", "fair", "accurate_fair"):
        found = certify(*problem.arguments, claim=claim)
        assert (found.status != 0).all()
        broken = found.status == -1
        if broken.any():
            people = (found.witness[broken], problem.y[broken], problem.counterparts)
            assert judge(problem.model, *people).breaks(claim).all()
        low, high = problem.space.bounds(problem.x)
        generator = torch.Generator().manual_seed(2)
        for draw in range(20):
            share = torch.rand(low.shape, generator=generator)
            points = low + (share.round() if draw % 2 else share) * (high - low)
            verdict = judge(problem.model, points, problem.y, problem.counterparts)
            assert not (verdict.breaks(claim) & (found.status == 1)).any()


class Gated(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.Linear(6, 2), nn.Hardshrink()], "this network has Hardshrink"),
        ([Gated(), nn.Linear(6, 2)], "cannot be traced"),
        (
            [nn.Linear(6, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 2)],
            "BatchNorm1d",
        ),
        ([nn.Softplus()], "this network has none"),
    ],
)
def test_other_networks_are_refused_with_the_reason(layers, reason):
    model = rafair.wrap(nn.Sequential(*layers).eval(), output="logits")
    assert reason in why_not_layered(model)
