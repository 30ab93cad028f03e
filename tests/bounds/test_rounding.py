"""The bound on rounding errors against errors, in other types and orders of summation."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import rafair
from rafair.bounds.crown import linear_bound
from rafair.bounds.network import layered_network, no_pattern
from rafair.bounds.rounding import Rounding

ROWS = torch.arange(12)


def slack_of(network, low, high, dtype, given=torch.float64):
    rounding = Rounding.around(network, low, high, dtype, given)
    return rounding.slack(low, high, torch.arange(len(low)))


def box(problem, width):
    return problem.x - width, problem.x + width


def exact_scores(network, points):
    """In extended precision, one product after the other."""
    value = points.to(torch.float64).numpy().astype(np.longdouble)
    for place, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        wide = (part.numpy().astype(np.longdouble) for part in (weight, bias))
        w, b = wide
        value = (value[:, None, :] * w).sum(axis=2) + b
        if place < network.n_hidden:
            value = np.maximum(value, 0)
    return value


def margins(scores):
    pairs = itertools.combinations(range(scores.shape[1]), 2)
    return np.stack([scores[:, a] - scores[:, b] for a, b in pairs], axis=1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e-4])
@pytest.mark.parametrize("k", [2, 3])
def test_no_margin_of_the_model_is_off_by_more_in_any_order(make_problem, dtype, scale, k):
    problem = make_problem(k, seed=k, dtype=torch.float32)
    for weight in problem.module.parameters():
        weight.data *= scale
    module = problem.module.to(dtype)
    network = layered_network(rafair.wrap(module, output="logits"))
    low, high = box(problem, 0.05)
    slack = slack_of(network, low, high, dtype)
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for _ in range(20):
        share = torch.rand(low.shape, generator=generator, dtype=torch.float64)
        points = low + share * (high - low)
        expected = margins(exact_scores(network, points))
        order = torch.randperm(low.shape[1], generator=generator)
        first = nn.functional.linear(
            points.to(dtype)[:, order], module[0].weight[:, order], module[0].bias
        )
        for scores in (module(points.to(dtype)), module[1:](first)):
            given = margins(scores.detach().to(torch.float64).numpy())
            error = torch.from_numpy(np.abs(given - expected).astype(np.float64)).amax(dim=1)
            assert (error <= slack).all()
            largest = max(largest, float((error / slack).max()))
    if dtype != torch.float64:  # in float64 the bounds' own errors outweigh the model's
        assert largest > 1e-3


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_no_bound_is_off_by_more(make_problem, scale):
    """Of a point, a bound is the margin, up to rounding; of a box, it lies below the margins."""
    problem = make_problem(3, seed=1)
    for weight in problem.module.parameters():
        weight.data *= scale
    network = layered_network(problem.model)
    for width in (0.0, 0.1):
        low, high = box(problem, width)
        slack = slack_of(network, low, high, torch.float64)
        bound = linear_bound(network, low, high, problem.y, no_pattern(network, len(low)))
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            share = torch.rand(low.shape, generator=generator, dtype=torch.float64).round()
            scores = exact_scores(network, low + share * (high - low))
            own = scores[np.arange(len(scores)), problem.y.numpy()]
            scores[np.arange(len(scores)), problem.y.numpy()] = -np.inf
            margin = own - scores.max(axis=1)
            assert (bound.lower.numpy() - margin <= slack.numpy()).all()


def test_layers_that_are_merged_count_as_the_model_runs_them(make_problem):
    problem = make_problem(2, seed=3, dtype=torch.float32)
    large = nn.Linear(6, 6)
    large.weight.data = torch.eye(6) + 1000.0
    back = nn.Linear(6, 6)
    back.weight.data = torch.linalg.inv(large.weight.data.double()).float()
    large.bias.data.zero_()
    back.bias.data.zero_()
    module = nn.Sequential(large, back, *problem.module).eval()
    network = layered_network(rafair.wrap(module, output="logits"))
    assert [len(layers) for layers in network.layers] == [3, 1, 1]
    slack = slack_of(network, problem.x, problem.x, torch.float32)
    expected = margins(network.scores(problem.x).numpy())
    given = margins(module(problem.x.float()).detach().double().numpy())
    error = torch.from_numpy(np.abs(given - expected))[:, 0]
    plain = slack_of(layered_network(problem.model), problem.x, problem.x, torch.float32)
    assert (error <= slack).all()
    assert (error > plain).any()


def test_a_part_of_a_box_needs_no_more(make_problem):
    problem = make_problem(2, seed=5, dtype=torch.float32)
    network = layered_network(problem.model)
    slacks = [slack_of(network, *box(problem, w), torch.float32) for w in (0.0, 0.01, 0.1, 0.5)]
    for small, large in itertools.pairwise(slacks):
        assert (small <= large).all()
    assert (slacks[0] < 0.5 * slacks[-1]).all()


def test_a_bound_counts_against_the_slack_of_its_own_box(make_problem):
    problem = make_problem(2, seed=5, dtype=torch.float32)
    network = layered_network(problem.model)
    wide = Rounding.around(network, *box(problem, 0.5), torch.float32, torch.float64)
    enough = wide.slack(*box(problem, 0.5), ROWS)
    own = wide.slack(problem.x, problem.x, ROWS)
    found = linear_bound(network, problem.x, problem.x, problem.y, no_pattern(network, 12))
    for share, proved in ((0.99, False), (1.01, True)):
        bound = type(found)(**{**vars(found), "lower": own * share})
        tight = wide.tightened(bound, ROWS, enough, (problem.x, problem.x))
        assert torch.equal(tight.lower > enough, torch.full((12,), proved))
    below = type(found)(**{**vars(found), "lower": -own})
    assert wide.tightened(below, ROWS, enough, (problem.x, problem.x)) is below


def test_nothing_is_proved_where_a_number_may_overflow_or_a_layer_is_too_wide(make_problem):
    problem = make_problem(2, seed=5, dtype=torch.float32)
    network = layered_network(problem.model)
    wide = nn.Sequential(nn.Linear(6, 300), nn.ReLU(), nn.Linear(300, 2)).to(torch.bfloat16)
    broad = layered_network(rafair.wrap(wide, output="logits"))
    assert slack_of(broad, problem.x, problem.x, torch.bfloat16).isinf().all()
    for layer in problem.module[::2]:
        layer.weight.data *= 1e20
    network = layered_network(problem.model)
    assert slack_of(network, problem.x, problem.x, torch.float32).isinf().all()
