"""The guard as a classifier: gradients, identical answers, and what it is made of."""

import pickle

import pytest
import torch

import rafair
from rafair.fairness import judge
from rafair.guarding import RULES, GuardedClassifier, Neighbourhood
from rafair.problem.gradients import gradient_directions
from rafair.problem.losses import Margin


@pytest.fixture(params=sorted(RULES))
def guard(request, problem):
    return GuardedClassifier(problem.model, problem.counterparts, request.param)


def test_everybody_in_I_gets_the_same_scores(guard, problem):
    everyone = problem.counterparts.rows(problem.x)
    scores = guard.scores(everyone).view(len(problem.x), len(problem.counterparts), -1)
    assert scores.eq(guard.scores(problem.x).unsqueeze(1)).all()
    assert judge(guard, problem.x, problem.y, problem.counterparts).fair.all()


def test_a_row_does_not_depend_on_its_company(guard, problem):
    alone = torch.cat([guard.scores(row.unsqueeze(0)) for row in problem.x])
    assert alone.equal(guard.scores(problem.x))


def test_its_gradient_is_that_of_the_consensus(guard, problem):
    x, y, step = problem.x, problem.y, 1e-6
    slope = gradient_directions(guard, x, y, Margin())
    for column in range(x.shape[1]):
        shift = torch.zeros(x.shape[1], dtype=x.dtype)
        shift[column] = step
        margins = [Margin().value(guard.scores(x + sign * shift), y) for sign in (1, -1)]
        torch.testing.assert_close((margins[0] - margins[1]) / (2 * step), slope[:, column])
    assert not slope[:, list(problem.counterparts.columns)].any()


def test_the_mean_of_a_network_is_a_mean_of_logits(problem):
    guard = GuardedClassifier(problem.model, problem.counterparts, "mean")
    everyone = problem.model.scores(problem.counterparts.rows(problem.x))
    expected = everyone.view(len(problem.x), len(problem.counterparts), -1).mean(dim=1)
    torch.testing.assert_close(guard.scores(problem.x), expected)


def test_a_neighbourhood_asks_inside_the_space_and_alike(problem):
    near = Neighbourhood(problem.space)
    guard = GuardedClassifier(problem.model, problem.counterparts, "mean", near)
    rows = problem.counterparts.rows(problem.x)
    moved = near.moved(rows, len(problem.x))
    assert problem.space.contains(moved, rows).all()
    assert not moved.equal(rows)
    assert judge(guard, problem.x, problem.y, problem.counterparts).fair.all()
    assert guard.digest() != GuardedClassifier(problem.model, problem.counterparts).digest()


def test_it_can_be_pickled_and_told_apart(guard, problem):
    again = pickle.loads(pickle.dumps(guard))
    assert again.scores(problem.x).equal(guard.scores(problem.x))
    assert again.digest() == guard.digest()
    others = {
        GuardedClassifier(problem.model, problem.counterparts, rule).digest() for rule in RULES
    }
    assert len(others) == len(RULES)


def test_an_unknown_rule_and_a_bare_module_are_refused(problem):
    with pytest.raises(rafair.InvalidInput, match="mean"):
        GuardedClassifier(problem.model, problem.counterparts, "median")
    with pytest.raises(rafair.InvalidInput, match="call rafair"):
        GuardedClassifier(problem.module, problem.counterparts)
