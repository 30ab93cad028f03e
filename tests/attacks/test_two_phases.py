"""What ADF and EIDIG share: a global phase until discrimination is met, then a local one."""

import pytest
import torch

from rafair.attacks import ADF
from rafair.attacks.registry import make_attack

both = pytest.mark.parametrize("name", ["adf", "eidig"])


def test_the_problem_has_seeds_of_every_kind(wide, discriminatory):
    seen = discriminatory(wide, ADF(0.05, 10).run(*wide.arguments).trajectory.points)
    kinds = seen[0], ~seen[0] & seen.any(dim=0), ~seen.any(dim=0)
    assert all(kind.any() for kind in kinds)
    left = seen.cumsum(dim=0).bool() & ~seen
    assert left.any()


@both
def test_who_once_met_discrimination_ends_with_it(wide, name, discriminatory):
    result = make_attack(name, step_size=0.05).run(*wide.arguments)
    seen = discriminatory(wide, result.trajectory.points)
    ends = discriminatory(wide, result.x_adv)
    assert torch.equal(ends, seen.any(dim=0))
    never = ~seen.any(dim=0)
    assert torch.equal(result.x_adv[never], result.trajectory.points[-1][never])


@both
def test_the_global_phase_makes_more_seeds_discriminatory(make_problem, name, discriminatory):
    problem = make_problem(2, seed=12, n=200, epsilon=0.2)
    before = discriminatory(problem, problem.x)
    after = discriminatory(problem, make_attack(name).run(*problem.arguments).x_adv)
    assert after[before].all()
    assert int(after.sum()) > int(before.sum()) + 5


@both
def test_a_local_step_moves_one_feature_and_a_failure_goes_back_home(wide, name, discriminatory):
    result = make_attack(name, step_size=0.05, steps=12).run(*wide.arguments)
    points = result.trajectory.points
    seen = discriminatory(wide, points)
    failures = 0
    for i in seen.any(dim=0).nonzero()[:, 0].tolist():
        first = int(seen[:, i].int().argmax())
        here = home = points[first, i]
        for there, good in zip(points[first + 1 :, i], seen[first + 1 :, i], strict=True):
            moved = (there - here).abs()
            assert int((moved > 0).sum()) <= 1
            assert moved.max() < 0.05 + 1e-9
            failures += not good
            here = there if good else home
        assert torch.equal(here, result.x_adv[i])
    assert failures


@both
def test_it_costs_two_gradients_a_step_at_most_and_a_look_around_each(wide, name):
    n, m, steps = len(wide.x), len(wide.counterparts), 7
    result = make_attack(name, steps=steps).run(*wide.arguments)
    assert 0 < result.n_gradients <= 2 * n * steps
    assert result.n_gradients % 2 == 0
    assert result.n_forwards == n * (m + 1) * (steps + 1)
