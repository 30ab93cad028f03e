import math

import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks import FGSM

LOSSES = ("cross_entropy", "mse", "margin")


def assert_naive(problem, loss, epsilon=0.06):
    fixed = problem.counterparts.columns
    expected = [
        naive.fgsm(problem.module, seed, label, loss, *naive.corners(seed, epsilon, fixed))
        for seed, label in zip(problem.x, problem.y.tolist(), strict=True)
    ]
    result = FGSM(loss).run(*problem.arguments)
    torch.testing.assert_close(result.x_adv, torch.stack(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_a_step_to_the_corner_the_gradient_points_to(problem, loss):
    assert_naive(problem, loss)


@pytest.mark.parametrize("k", [2, 3])
def test_a_feature_without_gradient_stays(make_problem, k):
    problem = make_problem(k, seed=4, n=25, sparse=True)
    assert_naive(problem, "cross_entropy")
    x_adv = FGSM().run(*problem.arguments).x_adv
    stays = (x_adv == problem.x)[:, problem.space.perturbable]
    assert stays.any()
    assert not stays.all()


def test_a_linear_model_is_pushed_to_the_corner_against_its_weights():
    module = nn.Linear(3, 2, dtype=torch.float64)
    module.weight.data = torch.tensor([[2.0, -1.0, 0.0], [0.0, 0.0, 0.0]]).double()
    x = torch.tensor([[0.5, 0.5, 0.5], [0.0, 0.95, 0.25]]).double()
    space = rafair.PerturbationSpace(0.1, [True, True, False])
    people = rafair.Counterparts.product([2], [[0.0, 1.0]])
    model = rafair.wrap(module, output="logits")
    x_adv = FGSM().run(model, x, torch.tensor([0, 0]), people, space).x_adv
    expected = torch.tensor([[0.4, 0.6, 0.5], [0.0, 1.0, 0.25]]).double()
    torch.testing.assert_close(x_adv, expected, rtol=0, atol=1e-6)


def test_the_trajectory_is_the_seed_and_the_corner(problem):
    result = FGSM().run(*problem.arguments)
    assert torch.equal(result.trajectory.points, torch.stack([problem.x, result.x_adv]))
    assert (result.n_gradients, result.n_forwards) == (len(problem.x), 0)


def test_an_epsilon_of_zero_leaves_everyone_where_they_are(problem):
    still = problem.but(space=rafair.PerturbationSpace(0.0, problem.space.perturbable))
    assert torch.equal(FGSM().run(*still.arguments).x_adv, problem.x)


def test_an_infinite_epsilon_means_the_corners_of_the_domain(problem):
    wide = problem.but(space=rafair.PerturbationSpace(math.inf, problem.space.perturbable))
    moved = FGSM().run(*wide.arguments).x_adv[:, problem.space.perturbable]
    assert ((moved == 0) | (moved == 1)).all()
