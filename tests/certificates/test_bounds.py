import pytest
import torch

from rafair.problem.bounds import linear_bound, no_pattern
from rafair.problem.network import relu_network


def boxes_of(problem, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    radius = width * torch.rand(problem.x.shape, generator=generator, dtype=torch.float64)
    return problem.x - radius, problem.x + radius


def margins(network, points, y):
    scores = network.scores(points)
    own = scores.gather(1, y.unsqueeze(1))
    return own - scores.scatter(1, y.unsqueeze(1), -torch.inf).amax(dim=1, keepdim=True)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("width", [0.001, 0.05, 0.5])
def test_no_point_of_a_box_lies_below_its_bound(make_problem, k, width):
    problem = make_problem(k, seed=k, n=20)
    network = relu_network(problem.model)
    low, high = boxes_of(problem, width)
    bound = linear_bound(network, low, high, problem.y, no_pattern(network, 20))
    generator = torch.Generator().manual_seed(1)
    for draw in range(200):
        share = torch.rand(low.shape, generator=generator, dtype=torch.float64)
        points = low + (share.round() if draw % 2 else share) * (high - low)
        assert (margins(network, points, problem.y)[:, 0] >= bound.lower - 1e-9).all()


def test_of_a_point_the_bound_is_the_margin(problem):
    network = relu_network(problem.model)
    pattern = no_pattern(network, len(problem.x))
    bound = linear_bound(network, problem.x, problem.x, problem.y, pattern)
    expected = margins(network, problem.x, problem.y)[:, 0]
    torch.testing.assert_close(bound.lower, expected, rtol=0, atol=1e-9)


def test_what_a_box_settles_holds_in_it_and_makes_no_bound_worse(problem):
    network = relu_network(problem.model)
    low, high = boxes_of(problem, 0.1)
    start = no_pattern(network, len(problem.x))
    first = linear_bound(network, low, high, problem.y, start)
    again = linear_bound(network, low, high, problem.y, first.pattern)
    torch.testing.assert_close(again.lower, first.lower, rtol=0, atol=1e-9)
    middle = (low + high) / 2
    half = linear_bound(network, low, middle, problem.y, first.pattern)
    assert (half.lower >= first.lower - 1e-6).float().mean() > 0.9
    hidden = low
    for layer, signs in enumerate(first.pattern):
        before = torch.addmm(network.biases[layer], hidden, network.weights[layer].T)
        assert (before[signs > 0] >= -1e-9).all()
        assert (before[signs < 0] <= 1e-9).all()
        hidden = before.relu()
