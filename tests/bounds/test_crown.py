import pytest
import torch

from rafair.bounds import crown
from rafair.bounds.crown import linear_bound
from rafair.bounds.network import LayeredNetwork, layered_network, no_pattern


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
    network = layered_network(problem.model)
    low, high = boxes_of(problem, width)
    bound = linear_bound(network, low, high, problem.y, no_pattern(network, 20))
    generator = torch.Generator().manual_seed(1)
    for draw in range(200):
        share = torch.rand(low.shape, generator=generator, dtype=torch.float64)
        points = low + (share.round() if draw % 2 else share) * (high - low)
        assert (margins(network, points, problem.y)[:, 0] >= bound.lower - 1e-9).all()


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("width", [0.01, 0.3])
def test_the_kernels_and_torch_compute_the_same(make_problem, monkeypatch, k, width):
    problem = make_problem(k, seed=k, n=21)  # no multiple of a block
    network = layered_network(problem.model)
    low, high = boxes_of(problem, width)
    known = linear_bound(network, low, high, problem.y, no_pattern(network, 21)).pattern
    for pattern in (no_pattern(network, 21), known):
        asked = (network, low, high, problem.y, pattern, everywhere(low), 1.0)
        ours = linear_bound(*asked)
        with monkeypatch.context() as patch:
            patch.setattr(crown, "is_compiled", lambda _: False)
            theirs = linear_bound(*asked)
        assert (~theirs.gain.isnan()).any()
        for name, value in vars(theirs).items():
            torch.testing.assert_close(
                vars(ours)[name], value, rtol=1e-6, atol=1e-9, equal_nan=True
            )


def test_a_bound_does_not_depend_on_its_company(problem):
    network, n = layered_network(problem.model), len(problem.x)
    low, high = boxes_of(problem, 0.1)
    asked = (low, high, problem.y)
    together = linear_bound(network, *asked, no_pattern(network, n), everywhere(low))
    for row in range(n):
        one = (part[row : row + 1] for part in asked)
        alone = linear_bound(network, *one, no_pattern(network, 1), everywhere(low[:1]))
        assert torch.equal(alone.lower, together.lower[row : row + 1])
        assert torch.equal(alone.slope, together.slope[row : row + 1])


def test_of_a_point_the_bound_is_the_margin(problem):
    network = layered_network(problem.model)
    pattern = no_pattern(network, len(problem.x))
    bound = linear_bound(network, problem.x, problem.x, problem.y, pattern)
    expected = margins(network, problem.x, problem.y)[:, 0]
    torch.testing.assert_close(bound.lower, expected, rtol=0, atol=1e-9)


def test_what_a_box_settles_holds_in_it_and_makes_no_bound_worse(problem):
    network = layered_network(problem.model)
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


def everywhere(low):
    """From where on a bound is to be raised: from anywhere."""
    return torch.full((len(low),), -torch.inf, dtype=low.dtype)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("width", [0.15, 0.5])
def test_a_raised_bound_is_never_below_the_plain_one_and_still_below_every_point(
    make_problem, k, width, seed
):
    problem = make_problem(k, seed=seed, n=20)
    network = layered_network(problem.model)
    low, high = boxes_of(problem, width)
    arguments = (network, low, high, problem.y, no_pattern(network, 20))
    plain = linear_bound(*arguments)
    raised = linear_bound(*arguments, everywhere(low), -everywhere(low))
    assert (raised.lower >= plain.lower - 1e-9).all()
    assert (raised.lower > plain.lower + 1e-3).any()
    assert all(
        torch.equal(one, other) for one, other in zip(raised.pattern, plain.pattern, strict=True)
    )
    for points in sampled(low, high):
        assert (margins(network, points, problem.y)[:, 0] >= raised.lower - 1e-9).all()


@pytest.mark.parametrize("k", [2, 3])
def test_a_bound_is_raised_exactly_where_it_is_asked_for(make_problem, k):
    problem = make_problem(k, seed=k, n=40)
    network = layered_network(problem.model)
    low, high = boxes_of(problem, 0.15)
    arguments = (network, low, high, problem.y, no_pattern(network, 40))
    plain = linear_bound(*arguments)
    assert plain.gain.isnan().all()
    middle, enough = plain.lower.quantile(torch.tensor([0.3, 0.8], dtype=torch.float64))
    found = linear_bound(*arguments, middle.expand(40), enough.expand(40))
    asked = ~found.gain.isnan()
    assert 5 < asked.sum() < 35
    assert (found.gain[asked] >= -1e-9).all()
    before = torch.where(asked, found.lower - found.gain, found.lower)
    assert torch.equal(asked, (before > middle) & (before <= enough))
    if k == 2:
        torch.testing.assert_close(before, plain.lower, rtol=0, atol=1e-9)
        assert torch.equal(found.lower[~asked], plain.lower[~asked])


def test_each_box_has_its_own_bound_to_be_raised_from(problem):
    network = layered_network(problem.model)
    low, high = boxes_of(problem, 0.15)
    arguments = (network, low, high, problem.y, no_pattern(network, len(low)))
    nowhere = torch.full((len(low),), torch.inf, dtype=low.dtype)
    nowhere[::3] = -torch.inf
    asked = ~linear_bound(*arguments, nowhere, -everywhere(low)).gain.isnan()
    assert torch.equal(asked, nowhere < 0)


def sampled(low, high, n=100, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for draw in range(n):
        share = torch.rand(low.shape, generator=generator, dtype=torch.float64)
        yield low + (share.round() if draw % 2 else share) * (high - low)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("width", [0.05, 0.3])
def test_both_linear_functions_lie_below_the_margin_of_one_rival(make_problem, k, width):
    problem = make_problem(k, seed=k, n=20)
    network = layered_network(problem.model)
    low, high = boxes_of(problem, width)
    arguments = (network, low, high, problem.y, no_pattern(network, 20))
    plain = linear_bound(*arguments)
    raised = linear_bound(*arguments, everywhere(low), -everywhere(low))
    assert torch.equal(plain.slope, plain.plain_slope)
    assert not torch.equal(raised.slope, raised.plain_slope)
    lines = [(raised.lower, raised.slope), (raised.lower - raised.gain, raised.plain_slope)]
    for lower, slope in [*lines, (plain.lower, plain.slope)]:
        least = torch.where(slope > 0, low, high)
        below_all = torch.ones(20, k, dtype=torch.bool)
        for points in sampled(low, high):
            scores = network.scores(points)
            apart = scores.gather(1, problem.y.unsqueeze(1)) - scores
            line = lower + (slope * (points - least)).sum(dim=1)
            below_all &= apart >= line.unsqueeze(1) - 1e-9
        below_all.scatter_(1, problem.y.unsqueeze(1), value=False)
        assert below_all.any(dim=1).all()


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_other_rivals_have_a_bound_of_their_own(make_problem, k):
    problem = make_problem(k, seed=k, n=20)
    network = layered_network(problem.model)
    low, high = boxes_of(problem, 0.1)
    for raising in ((), (everywhere(low), -everywhere(low))):
        bound = linear_bound(network, low, high, problem.y, no_pattern(network, 20), *raising)
        assert (bound.others >= bound.lower).all()
        assert bound.others.isinf().all() == (k == 2)
        below = torch.zeros(20, k, dtype=torch.bool)
        for points in sampled(low, high):
            scores = network.scores(points)
            apart = scores.gather(1, problem.y.unsqueeze(1)) - scores
            apart = apart.scatter(1, problem.y.unsqueeze(1), torch.inf)
            below |= apart < bound.others.unsqueeze(1) - 1e-9
        assert (below.sum(dim=1) <= 1).all()


def test_without_a_goal_bounds_are_raised_up_to_zero(problem):
    network = layered_network(problem.model)
    low, high = boxes_of(problem, 0.15)
    arguments = (network, low, high, problem.y, no_pattern(network, len(low)))
    usual = linear_bound(*arguments, everywhere(low))
    zero = linear_bound(*arguments, everywhere(low), torch.zeros_like(everywhere(low)))
    assert torch.equal(usual.lower, zero.lower)
    assert torch.equal(usual.gain.isnan(), zero.gain.isnan())
    assert {*usual.gain.isnan().tolist()} == {True, False}


def test_a_linear_model_has_nothing_to_raise(make_problem):
    problem = make_problem(3, seed=3, n=10)
    last = layered_network(problem.model).weights[-1]
    network = LayeredNetwork.of([[(last[:, :6], torch.zeros(3, dtype=torch.float64))]])
    low, high = boxes_of(problem, 0.2)
    found = linear_bound(network, low, high, problem.y, (), everywhere(low), -everywhere(low))
    assert found.gain.isnan().all()
    corner = torch.where(found.slope > 0, low, high)
    expected = margins(network, corner, problem.y)[:, 0]
    torch.testing.assert_close(found.lower, expected, rtol=0, atol=1e-9)
