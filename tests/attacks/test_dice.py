import itertools

import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks import DICE
from rafair.problem import Noise


def follow(problem, attack, epsilon):
    noise = Noise.of(problem.x, torch.zeros_like(problem.y), attack.random_state)
    columns, found = problem.counterparts.columns, []
    for i, seed in enumerate(problem.x):
        found.append(
            naive.dice(
                problem.module,
                seed,
                columns,
                problem.grid,
                *naive.corners(seed, epsilon, columns),
                naive.draws(noise, i),
                steps=attack.steps,
                step_size=attack.step_size,
                max_iter=attack.max_iter,
                epsilon=attack.epsilon,
            )
        )
    paths, ends, spreads = zip(*found, strict=True)
    return naive.stacked(paths), torch.stack(ends), spreads


def assert_naive(problem, attack, epsilon=0.06):
    points, ends, spreads = follow(problem, attack, epsilon)
    result = attack.run(*problem.arguments)
    naive.assert_same(result, points, ends)
    assert spread(problem, result.x_adv, attack.epsilon).tolist() == list(spreads)


def outputs(problem, points):
    """The probability over I(v) of the class predicted for v, (n, m)."""
    grid = problem.grid
    columns = problem.counterparts.columns
    return torch.tensor(
        [
            [
                naive.probabilities(problem.module, naive.with_values(v, columns, values))[own]
                for values in grid
            ]
            for v, own in ((v, naive.decision(problem.module, v)) for v in points)
        ],
        dtype=torch.float64,
    )


def spread(problem, points, width):
    bins = (outputs(problem, points) / width).floor()
    return bins.amax(dim=1) - bins.amin(dim=1)


@pytest.mark.parametrize("epsilon", [0.025, 0.2])
@pytest.mark.parametrize("max_iter", [0, 3, 10])
def test_it_follows_the_clusters_of_outputs(problem, epsilon, max_iter):
    assert_naive(problem, DICE(0.02, 7, max_iter, epsilon, random_state=4))


@pytest.mark.parametrize("k", [2, 3])
def test_it_follows_the_clusters_of_outputs_in_a_wide_ball(make_problem, k):
    problem = make_problem(k, seed=8 + k, n=16, epsilon=0.2)
    assert_naive(problem, DICE(0.05, 12, 5), epsilon=0.2)


@pytest.mark.parametrize(("k", "seed"), [(2, 14), (3, 20)])
def test_it_follows_the_clusters_of_outputs_where_gradients_vanish(make_problem, k, seed):
    assert_naive(make_problem(k, seed=seed, n=16, sparse=True), DICE(0.03, 8, 4))


@pytest.mark.parametrize("width", [0.025, 0.1])
def test_the_local_phase_never_brings_the_outer_clusters_closer(make_problem, width):
    problem = make_problem(3, seed=11, n=20, epsilon=0.2)
    spreads = [
        spread(problem, DICE(0.05, steps, 4, epsilon=width).run(*problem.arguments).x_adv, width)
        for steps in range(4, 16)
    ]
    pairs = list(itertools.pairwise(spreads))
    assert all((after >= before).all() for before, after in pairs)
    assert any((after > before).any() for before, after in pairs)


def test_a_step_that_brings_them_closer_is_not_kept(make_problem):
    problem = make_problem(3, seed=11, n=20, epsilon=0.2)
    result = DICE(0.05, 12, 0).run(*problem.arguments)
    closer = spread(problem, result.trajectory.points[1], 0.025) < spread(problem, problem.x, 0.025)
    assert closer.any()
    one = DICE(0.05, 1, 0).run(*problem.arguments).x_adv
    assert torch.equal(one[closer], problem.x[closer])
    assert torch.equal(one[~closer], result.trajectory.points[1][~closer])


def test_the_global_phase_takes_every_step_and_the_local_one_a_feature_at_a_time(make_problem):
    problem = make_problem(2, seed=11, n=20, epsilon=0.3)
    result = DICE(0.02, 8, 4).run(*problem.arguments)
    points = result.trajectory.points
    moved = (points.diff(dim=0).abs() > 0).sum(dim=2)
    assert (moved[:4] > 1).any()
    assert (moved[4] <= 1).all()
    assert torch.equal(DICE(0.02, 4, 4).run(*problem.arguments).x_adv, points[4])


class Flat(nn.Module):
    """Two logits that depend on nothing."""

    def forward(self, x):
        return torch.stack([x[:, 0] * 0, x[:, 1] * 0 - 1], dim=1)


def test_without_a_gradient_a_random_feature_moves():
    x = torch.full((30, 4), 0.5, dtype=torch.float64)
    x += torch.arange(30).unsqueeze(1) * 1e-3
    people = rafair.Counterparts.product([3], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.2, [True, True, True, False])
    arguments = rafair.wrap(Flat(), output="logits"), x, torch.zeros(30).long(), people, space
    moved = DICE(0.05, 1).run(*arguments).x_adv - x
    assert ((moved != 0).sum(dim=1) == 1).all()
    assert ((moved != 0).any(dim=0) == torch.tensor([True, True, True, False])).all()
    assert (moved > 0).any()
    assert (moved < 0).any()


class HalfFlat(nn.Module):
    """A first logit that rises with the first feature, but only where the last one is 1."""

    def forward(self, x):
        return torch.stack([1 + 0.01 * x[:, 3] ** 2 * x[:, 0], x[:, 1] * 0], dim=1)


def test_a_gradient_of_zeros_agrees_with_any():
    x = torch.full((30, 4), 0.5, dtype=torch.float64)
    x += torch.arange(30).unsqueeze(1) * 1e-3
    people = rafair.Counterparts.product([3], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.2, [True, True, True, False])
    y = torch.zeros(30).long()
    model = rafair.wrap(HalfFlat(), output="logits")
    moved = DICE(0.05, 1, epsilon=0.5).run(model, x, y, people, space).x_adv - x
    pair = (Noise.of(x, y, 0).uniform(0, 4)[:, :2] * 2).long()
    either = pair.sum(dim=1) > 0
    assert {tuple(row) for row in pair.tolist()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    expected = torch.tensor([-0.05, 0.0, 0.0, 0.0]).double().expand(int(either.sum()), 4)
    torch.testing.assert_close(moved[either], expected)
    assert (moved[~either] != 0).any(dim=0).tolist() == [True, True, True, False]


class Ramp(nn.Module):
    """p₀ = 0.2 + 0.6 s with s the last, sensitive feature; it falls gently with the first."""

    def forward(self, x):
        p = 0.2 + 0.6 * x[:, 2] - 0.01 * x[:, 0]
        return torch.stack([p.log(), (1 - p).log()], dim=1)


def test_the_direction_is_away_from_the_class_predicted():
    """Where p₀ is the larger output it is pushed down, where it is the smaller one, up."""
    people = rafair.Counterparts.product([2], [[0.9, 0.91, 0.92]])
    space = rafair.PerturbationSpace(0.2, [True, True, False])
    x = torch.tensor([[0.5, 0.5, 0.9]], dtype=torch.float64)
    model, y = rafair.wrap(Ramp(), output="logits"), torch.tensor([0])
    x_adv = DICE(0.05, 1, epsilon=0.5).run(model, x, y, people, space).x_adv
    torch.testing.assert_close(x_adv, x + torch.tensor([[0.05, 0.0, 0.0]]).double())
    people = rafair.Counterparts.product([2], [[0.1, 0.11, 0.12]])
    x_adv = DICE(0.05, 1, epsilon=0.5).run(model, x, y, people, space).x_adv
    torch.testing.assert_close(x_adv, x - torch.tensor([[0.05, 0.0, 0.0]]).double())


def test_the_cost_is_two_gradients_and_two_labels_a_step_and_a_look_around_each(problem):
    n, m = len(problem.x), len(problem.counterparts)
    result = DICE(steps=7).run(*problem.arguments)
    assert result.n_gradients == 2 * n * 7
    assert result.n_forwards == n * (8 * (m + 1) + 2 * 7)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_iter": -1}, "max_iter must be a whole number, 0 or more, not -1"),
        ({"max_iter": 1.5}, "max_iter must be a whole number, 0 or more, not 1.5"),
        ({"max_iter": True}, "max_iter must be a whole number, 0 or more, not True"),
        ({"epsilon": 0.0}, "epsilon must lie in (0, 1], not 0.0"),
        ({"epsilon": 1.5}, "epsilon must lie in (0, 1], not 1.5"),
        ({"epsilon": float("nan")}, "epsilon must lie in (0, 1], not nan"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        DICE(**parameters)
    assert str(caught.value) == message
