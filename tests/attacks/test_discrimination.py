"""What ADF, EIDIG and DICE share: their parameters, their limits, and what they draw."""

import pytest
import torch

import rafair
from rafair.attacks.discrimination import draw_column, draw_member, inverse_saliency
from rafair.attacks.registry import make_attack

searches = pytest.mark.parametrize("name", ["adf", "eidig", "dice"])


@searches
def test_the_random_state_changes_the_features_drawn(wide, name):
    ends = [make_attack(name, random_state=state).run(*wide.arguments).x_adv for state in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


@searches
def test_no_steps_return_the_seeds(problem, name):
    result = make_attack(name, steps=0).run(*problem.arguments)
    assert torch.equal(result.x_adv, problem.x)
    assert result.n_gradients == 0
    assert torch.equal(result.trajectory.points, problem.x.unsqueeze(0))


@searches
def test_where_nothing_may_move_nothing_does(problem, name):
    fixed = problem.but(space=rafair.PerturbationSpace(perturbable=False))
    assert torch.equal(make_attack(name, steps=4).run(*fixed.arguments).x_adv, problem.x)


@searches
def test_where_only_v_is_left_nobody_is_treated_otherwise(make_problem, name, discriminatory):
    problem = make_problem(2)
    x = problem.x.clone()
    x[:, [1, 4]] = torch.tensor([0.3, 0.7], dtype=x.dtype)
    alone = problem.but(x=x, counterparts=rafair.Counterparts.product([1, 4], [[0.3], [0.7]]))
    result = make_attack(name, steps=5).run(*alone.arguments)
    assert not discriminatory(alone, result.trajectory.points).any()
    assert alone.space.contains(result.x_adv, x).all()


@searches
def test_an_unbounded_space_will_do(problem, name):
    space = rafair.PerturbationSpace(
        perturbable=problem.space.perturbable, lower=-float("inf"), upper=float("inf")
    )
    result = make_attack(name, steps=6).run(*problem.but(space=space).arguments)
    assert (result.x_adv - problem.x).abs().max() < 0.06 + 1e-9


@searches
def test_each_feature_can_have_its_own_step(wide, name):
    steps = [0.01, 0.5, 0.02, 0.0, 0.5, 0.03]
    result = make_attack(name, step_size=steps, steps=1).run(*wide.arguments)
    moved = (result.trajectory.points[1] - wide.x).abs()
    limit = torch.tensor(steps, dtype=torch.float64) * wide.space.perturbable
    assert (moved <= limit + 1e-9).all()
    assert (moved > 0).any()


@searches
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
    weight = inverse_saliency(first, second, movable)
    expected = [1 / (1 + 1e-6), 1 / (0.25 + 1e-6), 1e6, 0.0]
    assert weight[0].tolist() == pytest.approx(expected)


def test_without_any_gradient_all_features_have_the_same_chance():
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    weight = inverse_saliency(nothing, nothing, torch.tensor([True, False, True]))
    assert weight.tolist() == [[1e6, 0.0, 1e6]]


def test_a_column_is_chosen_in_proportion_to_its_weight():
    drawn = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    weight = torch.tensor([0.0, 1.0, 0.0, 3.0, 0.0]).double().expand(1000, 5)
    assert draw_column(weight, drawn).bincount(minlength=5).tolist() == [0, 250, 0, 750, 0]


def test_members_have_equal_chances_and_nobody_else_any():
    drawn = torch.linspace(0, 1, 301, dtype=torch.float64)[:-1]
    members = torch.tensor([False, True, True, False, True]).expand(300, 5)
    assert draw_member(members, drawn).bincount(minlength=5).tolist() == [0, 100, 100, 0, 100]
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    assert draw_member(nobody, drawn[:2]).tolist() == [0, 0]
