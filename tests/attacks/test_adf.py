import pytest
import torch

import naive
import rafair
from rafair.attacks import ADF
from rafair.attacks.discrimination import choose, choose_member, rarely_felt
from rafair.attacks.registry import make_attack

three = pytest.mark.parametrize("name", ["adf", "eidig", "dice"])
two = pytest.mark.parametrize("name", ["adf", "eidig"])


def discriminatory(problem, points):
    own, others = rafair.fairness.decide(problem.model, points, problem.counterparts)
    return (others != own.unsqueeze(1)).any(dim=1)


def met(problem, result):
    """Which points of the way meet discrimination, (points, n)."""
    return torch.stack([discriminatory(problem, points) for points in result.trajectory.points])


@pytest.fixture(scope="module", params=[2, 3], ids=["k=2", "k=3"])
def wide(request, make_problem):
    """Some seeds discriminatory at once, some later, some never."""
    return make_problem(request.param, seed=8 + request.param, n=20, epsilon=0.2)


@pytest.mark.parametrize("random_state", [0, 5])
def test_it_has_the_two_phases_of_the_paper(problem, random_state):
    naive.assert_search(problem, ADF(0.02, 8, random_state))


def test_it_has_the_two_phases_of_the_paper_in_a_wide_ball(wide):
    naive.assert_search(wide, ADF(0.05, 10), epsilon=0.2)


@pytest.mark.parametrize(("k", "seed"), [(2, 14), (3, 20)])
def test_it_has_the_two_phases_of_the_paper_where_gradients_vanish(make_problem, k, seed):
    naive.assert_search(make_problem(k, seed=seed, n=16, sparse=True), ADF(0.03, 6))


def test_the_problem_has_seeds_of_every_kind(wide):
    seen = met(wide, ADF(0.05, 10).run(*wide.arguments))
    kinds = seen[0], ~seen[0] & seen.any(dim=0), ~seen.any(dim=0)
    assert all(kind.any() for kind in kinds)
    left = seen.cumsum(dim=0).bool() & ~seen
    assert left.any()


@two
def test_who_once_met_discrimination_ends_with_it(wide, name):
    result = make_attack(name, step_size=0.05).run(*wide.arguments)
    seen, ends = met(wide, result), discriminatory(wide, result.x_adv)
    assert torch.equal(ends, seen.any(dim=0))
    never = ~seen.any(dim=0)
    assert torch.equal(result.x_adv[never], result.trajectory.points[-1][never])


@two
def test_the_global_phase_makes_more_seeds_discriminatory(make_problem, name):
    problem = make_problem(2, seed=12, n=200, epsilon=0.2)
    before = discriminatory(problem, problem.x)
    after = discriminatory(problem, make_attack(name).run(*problem.arguments).x_adv)
    assert after[before].all()
    assert int(after.sum()) > int(before.sum()) + 5


@two
def test_a_local_step_moves_one_feature_and_a_failure_goes_back_home(wide, name):
    result = make_attack(name, step_size=0.05, steps=12).run(*wide.arguments)
    points, seen = result.trajectory.points, met(wide, result)
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


@three
def test_the_random_state_changes_the_features_drawn(wide, name):
    ends = [make_attack(name, random_state=state).run(*wide.arguments).x_adv for state in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


@three
def test_no_steps_return_the_seeds(problem, name):
    result = make_attack(name, steps=0).run(*problem.arguments)
    assert torch.equal(result.x_adv, problem.x)
    assert result.n_gradients == 0
    assert torch.equal(result.trajectory.points, problem.x.unsqueeze(0))


@three
def test_where_nothing_may_move_nothing_does(problem, name):
    fixed = problem.but(space=rafair.PerturbationSpace(perturbable=False))
    assert torch.equal(make_attack(name, steps=4).run(*fixed.arguments).x_adv, problem.x)


@three
def test_where_only_v_is_left_nobody_is_treated_otherwise(make_problem, name):
    problem = make_problem(2)
    x = problem.x.clone()
    x[:, [1, 4]] = torch.tensor([0.3, 0.7], dtype=x.dtype)
    alone = problem.but(x=x, counterparts=rafair.Counterparts.product([1, 4], [[0.3], [0.7]]))
    result = make_attack(name, steps=5).run(*alone.arguments)
    assert not met(alone, result).any()
    assert alone.space.contains(result.x_adv, x).all()


@three
def test_an_unbounded_space_will_do(problem, name):
    space = rafair.PerturbationSpace(
        perturbable=problem.space.perturbable, lower=-float("inf"), upper=float("inf")
    )
    result = make_attack(name, steps=6).run(*problem.but(space=space).arguments)
    assert (result.x_adv - problem.x).abs().max() < 0.06 + 1e-9


@three
def test_each_feature_can_have_its_own_step(wide, name):
    steps = [0.01, 0.5, 0.02, 0.0, 0.5, 0.03]
    result = make_attack(name, step_size=steps, steps=1).run(*wide.arguments)
    moved = (result.trajectory.points[1] - wide.x).abs()
    limit = torch.tensor(steps, dtype=torch.float64) * wide.space.perturbable
    assert (moved <= limit + 1e-9).all()
    assert (moved > 0).any()


@two
def test_it_costs_two_gradients_a_step_at_most_and_a_look_around_each(wide, name):
    n, m, steps = len(wide.x), len(wide.counterparts), 7
    result = make_attack(name, steps=steps).run(*wide.arguments)
    assert 0 < result.n_gradients <= 2 * n * steps
    assert result.n_gradients % 2 == 0
    assert result.n_forwards == n * (m + 1) * (steps + 1)


@three
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, not -1"),
        ({"steps": 2.0}, "steps must be a whole number, 0 or more, not 2.0"),
        ({"step_size": -0.1}, "step_size must be finite and not negative"),
        ({"step_size": float("inf")}, "step_size must be finite and not negative"),
        ({"step_size": [0.1, 0.2]}, "step_size has 2 numbers for 6 features"),
        ({"step_size": "far"}, "step_size must be a number or one number per feature"),
        ({"batch_size": 0}, "batch_size must be 'auto' or a positive number, not 0"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(problem, name, parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        make_attack(name, **parameters).run(*problem.arguments)
    assert str(caught.value) == message


def test_features_that_matter_little_have_the_larger_chance():
    first = torch.tensor([[4.0, -1.0, 0.0, 2.0]]).double()
    second = torch.tensor([[-4.0, 1.0, 0.0, 2.0]]).double()
    movable = torch.tensor([True, True, True, False])
    weight = rarely_felt(first, second, movable)
    expected = [1 / (1 + 1e-6), 1 / (0.25 + 1e-6), 1e6, 0.0]
    assert weight[0].tolist() == pytest.approx(expected)


def test_without_any_gradient_all_features_have_the_same_chance():
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    weight = rarely_felt(nothing, nothing, torch.tensor([True, False, True]))
    assert weight.tolist() == [[1e6, 0.0, 1e6]]


def test_a_column_is_chosen_in_proportion_to_its_weight():
    drawn = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    weight = torch.tensor([0.0, 1.0, 0.0, 3.0, 0.0]).double().expand(1000, 5)
    assert choose(weight, drawn).bincount(minlength=5).tolist() == [0, 250, 0, 750, 0]


def test_members_have_equal_chances_and_nobody_else_any():
    drawn = torch.linspace(0, 1, 301, dtype=torch.float64)[:-1]
    members = torch.tensor([False, True, True, False, True]).expand(300, 5)
    assert choose_member(members, drawn).bincount(minlength=5).tolist() == [0, 100, 100, 0, 100]
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    assert choose_member(nobody, drawn[:2]).tolist() == [0, 0]
