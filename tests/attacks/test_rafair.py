import dataclasses

import pytest
import torch
from torch import nn

import rafair
import reference
from rafair.attacks import RAFair

MODES = ("true_biased", "false_fair", "false_biased")
FIXED = (1, 4)


def follow(problem, attack, epsilon=0.06):
    """The iterates of the naive Algorithm 1, shape (steps + 1, n, d)."""
    paths = [
        torch.stack(
            reference.walk(
                attack.mode,
                problem.module,
                seed,
                label,
                problem.counterparts.columns,
                problem.grid,
                steps=attack.steps,
                step_size=attack.step_size,
                loss=attack.loss,
                zero_gradient=attack.zero_gradient,
                counterpart=attack.counterpart,
                epsilon=epsilon,
                fixed=FIXED,
            )
        )
        for seed, label in zip(problem.x, problem.y.tolist(), strict=True)
    ]
    return torch.stack(paths, dim=1)


def assert_same_path(result, expected):
    torch.testing.assert_close(result.trajectory.points, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("counterpart", ["every_step", "first"])
def test_it_is_algorithm_1(problem, mode, loss, counterpart):
    attack = RAFair(mode, step_size=0.02, steps=5, loss=loss, counterpart=counterpart)
    expected = follow(problem, attack)
    assert_same_path(attack.run(*problem.arguments), expected)
    assert not torch.equal(expected[-1], problem.x)


@pytest.mark.parametrize("mode", MODES)
def test_it_is_algorithm_1_with_the_margin_as_loss(make_problem, mode):
    problem = make_problem(3, seed=8)
    attack = RAFair(mode, step_size=0.02, steps=4, loss="margin")
    assert_same_path(attack.run(*problem.arguments), follow(problem, attack))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zero_gradient", ["still", "counterpart"])
@pytest.mark.parametrize("k", [2, 3])
def test_it_is_algorithm_1_where_gradients_vanish(make_problem, mode, zero_gradient, k):
    problem = make_problem(k, seed=4, n=25, sparse=True)
    attack = RAFair(mode, step_size=0.02, steps=3, zero_gradient=zero_gradient)
    assert_same_path(attack.run(*problem.arguments), follow(problem, attack))


@pytest.mark.parametrize("mode", ["true_biased", "false_biased"])
def test_the_counterparts_sign_moves_more_than_standing_still(make_problem, mode):
    problem = make_problem(2, seed=4, n=25, sparse=True)
    ends = [
        RAFair(mode, step_size=0.02, steps=3, zero_gradient=choice).run(*problem.arguments).x_adv
        for choice in ("still", "counterpart")
    ]
    assert not torch.equal(*ends)


def test_false_fair_ignores_the_choice_at_zero_gradients(make_problem):
    problem = make_problem(2, seed=4, n=25, sparse=True)
    ends = [
        RAFair("false_fair", zero_gradient=choice).run(*problem.arguments).x_adv
        for choice in ("still", "counterpart")
    ]
    assert torch.equal(*ends)


def test_where_only_v_is_left_it_is_its_own_counterpart(make_problem):
    problem = make_problem(2)
    x = problem.x.clone()
    x[:, FIXED] = torch.tensor([0.3, 0.7], dtype=x.dtype)
    alone = rafair.Counterparts.product(FIXED, [[0.3], [0.7]])
    problem = problem.but(x=x, counterparts=alone)
    for mode in MODES:
        attack = RAFair(mode, step_size=0.02, steps=4)
        result = attack.run(*problem.arguments)
        assert (result.trajectory.counterparts == -1).all()
        assert torch.equal(result.trajectory.losses[..., 0], result.trajectory.losses[..., 1])
        assert_same_path(result, follow(problem, attack))
        assert torch.equal(result.x_adv, x) == (mode != "false_fair")


def test_off_the_grid_everyone_is_a_counterpart_and_a_tie_goes_to_the_lowest_row():
    module = nn.Linear(3, 2, dtype=torch.float64)
    module.weight.data = torch.tensor([[1.0, -2.0, 0.0], [0.0, 1.0, 0.0]]).double()
    model = rafair.wrap(module, output="logits")
    counterparts = rafair.Counterparts.product([2], [[0.0, 0.5, 1.0]])
    space = rafair.PerturbationSpace(0.1, [True, True, False])
    x = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.2], [0.5, 0.5, 0.5]]).double()
    result = RAFair(steps=1).run(model, x, torch.tensor([0, 0, 1]), counterparts, space)
    assert result.trajectory.counterparts.tolist() == [[1, 0, 0]]


def test_the_first_counterpart_is_kept(problem):
    attack = RAFair("false_fair", step_size=0.05, steps=8, counterpart="first")
    wide = problem.but(space=rafair.PerturbationSpace(1.0, problem.space.perturbable))
    chosen = attack.run(*wide.arguments).trajectory.counterparts
    assert (chosen == chosen[0]).all()
    anew = dataclasses.replace(attack, counterpart="every_step").run(*wide.arguments)
    assert (anew.trajectory.counterparts != chosen).any()


def test_the_losses_along_the_way_are_those_of_v_and_its_counterpart(problem):
    attack = RAFair("false_fair", step_size=0.02, steps=3)
    trajectory = attack.run(*problem.arguments).trajectory
    for step in range(3):
        v = trajectory.points[step]
        other = problem.counterparts.take(v, trajectory.counterparts[step])
        for i, label in enumerate(problem.y.tolist()):
            expected = [
                reference.loss_at(problem.module, person[i], label, "mse") for person in (v, other)
            ]
            assert trajectory.losses[step, i].tolist() == pytest.approx(expected, rel=1e-9)


class Foreign(nn.Module):
    """A module that is no Sequential, so that its last layer cannot be left out."""

    def __init__(self, body, squash):
        super().__init__()
        self.body, self.squash = body, squash

    def forward(self, x):
        return self.squash(self.body(x))


def two_from_one(body):
    """Logits [0, z] as a layer of their own."""
    last = nn.Linear(1, 2, bias=False, dtype=torch.float64)
    last.weight.data = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    return nn.Sequential(*body, last)


@pytest.mark.parametrize("mode", MODES)
def test_one_logit_means_the_logits_zero_and_z(make_problem, make_network, mode):
    problem, body = make_problem(2), make_network(6, 1, seed=2)
    attack = RAFair(mode, steps=4, step_size=0.02)
    ends = [
        attack.run(*problem.but(model=rafair.wrap(module)).arguments).x_adv
        for module in (
            two_from_one(body),
            body,
            nn.Sequential(*body, nn.Flatten(0)),
            nn.Sequential(*body, nn.Sigmoid()),
            Foreign(body, nn.Sigmoid()),
        )
    ]
    assert not torch.equal(ends[0], problem.x)
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_a_softmax_head_does_not_change_the_walk(problem, mode):
    attack = RAFair(mode, steps=4, step_size=0.02)
    expected = attack.run(*problem.arguments).x_adv
    for module in (
        nn.Sequential(*problem.module, nn.Softmax(dim=1)),
        nn.Sequential(*problem.module, nn.LogSoftmax(dim=1)),
        Foreign(problem.module, nn.Softmax(dim=1)),
    ):
        end = attack.run(*problem.but(model=rafair.wrap(module)).arguments).x_adv
        torch.testing.assert_close(end, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_a_saturated_softmax_still_tells_the_directions(make_problem, mode):
    problem = make_problem(2, seed=6)
    sure = nn.Sequential(*problem.module)
    sure[-1] = nn.Linear(8, 2, dtype=torch.float64)
    sure[-1].weight.data = problem.module[-1].weight.data * 400
    sure[-1].bias.data = problem.module[-1].bias.data * 400
    attack = RAFair(mode, steps=1, counterpart="first")
    gentle = attack.run(*problem.arguments)
    saturated = attack.run(*problem.but(model=rafair.wrap(sure)).arguments)
    assert (saturated.trajectory.losses < 1e-40).any()
    same = gentle.trajectory.counterparts[0] == saturated.trajectory.counterparts[0]
    assert same.any()
    assert torch.equal(gentle.x_adv[same], saturated.x_adv[same])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mode": "fair"}, "unknown mode 'fair'; use true_biased or false_fair or false_biased"),
        ({"zero_gradient": "up"}, "unknown zero_gradient 'up'; use still or counterpart"),
    ],
)
def test_unknown_words_are_refused_at_once(parameters, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        RAFair(**parameters)


class Square(torch.nn.Module):
    """Two logits whose gradient is NaN where the first feature is exactly 0."""

    def forward(self, x):
        root = (x[:, :1] * 0).sqrt() + x[:, 1:2]
        return torch.cat([root, -root], dim=1)


def test_a_gradient_that_is_nan_is_refused():
    model = rafair.wrap(Square(), output="logits")
    people = rafair.Counterparts.product([2], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(perturbable=[True, True, False])
    x, y = torch.rand(3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(rafair.InvalidInput, match="gradient is NaN"):
        RAFair().run(model, x, y, people, space)
