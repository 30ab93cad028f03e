import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks import ACG, PGD
from rafair.attacks.acg import _beta

LOSSES = ("margin", "cross_entropy", "mse")
PEOPLE = rafair.Counterparts.product([2], [[0.0, 1.0]])
SPACE = rafair.PerturbationSpace(0.25, [True, True, False])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("random_start", [False, True])
def test_it_is_auto_conjugate_gradient(problem, loss, random_start):
    naive.assert_adaptive(problem, ACG(12, loss, random_start=random_start, random_state=7))


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_auto_conjugate_gradient_where_there_are_hills_to_overshoot(make_problem, loss):
    problem = make_problem(3, seed=9, n=16, epsilon=0.5)
    naive.assert_adaptive(problem, ACG(25, loss), epsilon=0.5)


def test_it_is_auto_conjugate_gradient_with_other_parameters(problem):
    naive.assert_adaptive(problem, ACG(10, rho=0.3, restarts=3))


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_it_is_auto_conjugate_gradient_for_a_few_steps(problem, steps):
    naive.assert_adaptive(problem, ACG(steps))


class Linear(nn.Linear):
    """Two logits of three features, the third one idle."""

    def __init__(self):
        super().__init__(3, 2, dtype=torch.float64)
        self.weight.data = torch.tensor([[2.0, -1.0, 0.0], [0.5, 0.0, 0.0]]).double()


@pytest.mark.parametrize("loss", LOSSES)
def test_on_a_linear_model_it_climbs_straight_to_the_corner(loss):
    x = torch.tensor([[0.5, 0.5, 0.5], [0.9, 0.9, 0.9], [0.1, 0.3, 0.0]]).double()
    y = torch.tensor([0, 1, 0])
    result = ACG(10, loss).run(rafair.wrap(Linear(), output="logits"), x, y, PEOPLE, SPACE)
    low, high = SPACE.bounds(x)
    up = torch.tensor([[False, True, False], [True, False, False], [False, True, False]])
    expected = torch.where(up, high, low)
    assert torch.equal(result.x_adv, expected)
    assert torch.isfinite(result.trajectory.points).all()


def test_where_the_gradient_never_changes_it_is_sign_ascent(make_problem):
    """The margin of a linear model: β is 0 / 0 at every step."""
    x = torch.rand(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor([0, 1, 0] * 3)
    arguments = rafair.wrap(Linear(), output="logits"), x, y, PEOPLE, SPACE
    # As far as the first checkpoint: a step of 2ε, which the corner of Δ cuts.
    conjugate = ACG(20, "margin").run(*arguments).trajectory.points[1:6]
    signed = PGD(0.5, 4, "margin", random_start=False).run(*arguments).trajectory.points[1:6]
    assert torch.equal(conjugate, signed)


def rows(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    ("gradient", "old", "direction", "beta"),
    [
        # t = (1, -3): ⟨g, t⟩ = 1·1 − 2·3 = −5, ⟨s, t⟩ = 2·1 + 1·3 = 5.
        ([1.0, 2.0], [2.0, -1.0], [2.0, -1.0], -1.0),
        # t = (1, 1): 0.5 + 0.25 over 3 − 1.
        ([0.5, 0.25], [1.5, 1.25], [3.0, -1.0], 0.375),
        # No change: 0 / 0.
        ([1.0, 2.0], [1.0, 2.0], [4.0, 4.0], 0.0),
        # A direction at right angles to the change: −5 / 0.
        ([1.0, 2.0], [2.0, -1.0], [3.0, 1.0], 0.0),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], 0.0),
        # Too small to square: 0 / 0 by underflow.
        ([1e-200, 0.0], [2e-200, 0.0], [1e-200, 0.0], 0.0),
        # Too large: 1 / 1e-310.
        ([1.0, 0.0], [2.0, 0.0], [1e-310, 0.0], 0.0),
    ],
)
def test_beta_is_that_of_hestenes_and_stiefel(gradient, old, direction, beta):
    found = _beta(rows(gradient), rows(old), rows(direction))
    assert found.tolist() == [[pytest.approx(beta)]]


class Bowl(nn.Module):
    """A margin of z₀ − z₁ = 0.5 + u² / 2 + 2 v² − 3 u − 4 v around the point (u, v)."""

    def forward(self, x):
        u, v = x[:, 0], x[:, 1]
        z = 0.5 + u**2 / 2 + 2 * v**2 - 3 * u - 4 * v
        return torch.stack([z, torch.zeros_like(z)], dim=1)


def test_the_first_conjugate_steps_by_hand():
    """The margin against label 0 is −z₀: its gradient is (3 − u, 4 − 4 v)."""
    x = rows([0.0, 0.5, 0.0])
    space = rafair.PerturbationSpace(1.0, [True, True, False], upper=5.0)
    model = rafair.wrap(Bowl(), output="logits")
    result = ACG(20).run(model, x, torch.tensor([0]), PEOPLE, space)
    points = result.trajectory.points[1:, 0, :2]
    # ∇l₀ = (3, 2): both up, by 2ε = 2, cut to Δ = [0, 1] × [0, 1.5].
    assert points[1].tolist() == [1.0, 1.5]
    # ∇l₁ = (2, −2), t = (1, 4), β = (2 − 8) / (3 + 8) = −6/11, s = (4, −34) / 11.
    assert points[2].tolist() == [1.0, 0.0]
    # ∇l₂ = (2, 4), t = (0, −6), β = −24 / (6 · 34 / 11) = −22/17, s = (26/17, 8).
    assert points[3].tolist() == [1.0, 1.5]
    assert naive.hestenes_stiefel(rows(2.0, -2.0), rows(3.0, 2.0), rows(3.0, 2.0)) == -6 / 11


def test_the_conjugate_direction_differs_from_the_gradients(make_problem):
    problem = make_problem(3, seed=9, n=40, epsilon=0.5)
    result = ACG(10, "cross_entropy").run(*problem.arguments)
    steps = result.trajectory.points[1:].diff(dim=0)
    different = 0
    for step in range(1, 5):
        here = result.trajectory.points[step + 1]
        for i, label in enumerate(problem.y.tolist()):
            g = naive.gradient(problem.module, here[i], label, "cross_entropy")
            different += bool((steps[step, i] * g < 0).any())
    assert different


def test_a_model_sure_of_itself_is_still_attacked(make_problem):
    problem = make_problem(2, seed=6)
    sure = nn.Sequential(*problem.module)
    sure[-1] = nn.Linear(8, 2, dtype=torch.float64)
    sure[-1].weight.data = problem.module[-1].weight.data * 40
    sure[-1].bias.data = problem.module[-1].bias.data * 40
    certain = problem.but(model=rafair.wrap(sure, output="logits"))
    for loss in LOSSES:
        x_adv = ACG(10, loss).run(*certain.arguments).x_adv
        assert torch.isfinite(x_adv).all()
        before, after = (
            naive.losses_at(certain, points, "margin") for points in (problem.x, x_adv)
        )
        assert (before < -50).sum() >= 3
        assert (after > before)[before < -50].all()


def test_the_seed_is_where_it_begins_by_default(problem):
    assert torch.equal(ACG(0).run(*problem.arguments).x_adv, problem.x)
    trajectory = ACG(3).run(*problem.arguments).trajectory
    assert torch.equal(trajectory.points[1], problem.x)
