import dataclasses

import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks.linear_corner import LinearCorner
from reference import loss_at, people


def linear_problem(make_problem, k, seed=0):
    """A model without a hidden layer; everybody's own values are on the grid."""
    problem = make_problem(k, seed=seed, n=20, epsilon=0.3)
    columns, grid = list(problem.counterparts.columns), problem.counterparts.grid
    problem.x[:, columns] = grid[torch.arange(20) % len(grid)]
    module = nn.Linear(6, k, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    model = rafair.wrap(nn.Sequential(module), output="logits")
    return problem.but(model=model)


def margins_at(problem, points):
    rows = zip(points, problem.y.tolist(), strict=True)
    columns, grid = problem.counterparts.columns, problem.grid
    losses = [
        max(loss_at(problem.module, w, label, "margin") for w in people(v, columns, grid))
        for v, label in rows
    ]
    return torch.tensor(losses, dtype=torch.float64)


def worst_corner(problem, v, label):
    """In closed form: each rival is helped most by a corner that its weights alone decide."""
    weight, bias = (parameter.detach() for parameter in problem.module.parameters())
    low, high = naive.corners(v, 0.3, problem.counterparts.columns)
    found = []
    for rival in range(len(bias)):
        if rival != label:
            slope = weight[rival] - weight[label]
            corner = torch.where(slope > 0, high, low)
            here = [w @ slope for w in people(corner, problem.counterparts.columns, problem.grid)]
            found.append((float(max(here) + bias[rival] - bias[label]), corner))
    return max(found, key=lambda pair: pair[0])


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("steps", [0, 3])
def test_of_a_linear_model_it_finds_the_worst_corner_exactly(make_problem, k, steps):
    problem = linear_problem(make_problem, k, seed=k)
    result = LinearCorner(steps).run(*problem.arguments)
    rows = zip(problem.x, problem.y.tolist(), strict=True)
    margins, corners = zip(*(worst_corner(problem, v, label) for v, label in rows), strict=True)
    assert torch.equal(result.x_adv, torch.stack(corners))
    expected = torch.tensor(margins, dtype=torch.float64)
    torch.testing.assert_close(margins_at(problem, result.x_adv), expected, rtol=0, atol=1e-12)


def test_its_end_is_the_best_point_after_the_seed(make_problem):
    problem = make_problem(3, seed=9, n=15, epsilon=0.5)
    result = LinearCorner(4).run(*problem.arguments)
    visited = torch.stack([margins_at(problem, points) for points in result.trajectory.points])
    reached = margins_at(problem, result.x_adv)
    torch.testing.assert_close(reached, visited[1:].amax(dim=0), rtol=0, atol=1e-12)
    assert (reached > visited[1]).any()
    assert (reached == visited[1]).any()


def test_its_first_point_is_a_corner_and_more_steps_never_lower_the_margin(make_problem):
    problem = make_problem(2, seed=3, n=15, epsilon=0.4)
    low, high = problem.space.bounds(problem.x)
    first = LinearCorner(0).run(*problem.arguments)
    assert ((first.x_adv == low) | (first.x_adv == high)).all()
    before = margins_at(problem, first.x_adv)
    for steps in (1, 2, 5):
        result = LinearCorner(steps).run(*problem.arguments)
        assert torch.equal(result.trajectory.points[1], first.x_adv)
        after = margins_at(problem, result.x_adv)
        assert (after >= before).all()
        before = after


def test_each_step_is_half_as_long_as_the_one_before():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    module[0].weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    module[0].bias.data = torch.tensor([-0.62, 0.62], dtype=torch.float64)
    module[2].weight.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    module[2].bias.data = torch.tensor([0.0, 0.0], dtype=torch.float64)
    x, y = torch.tensor([[0.5, 0.0]], dtype=torch.float64), torch.tensor([1])
    people = rafair.Counterparts.product([1], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.4, [True, False])
    result = LinearCorner(4).run(rafair.wrap(module, output="logits"), x, y, people, space)
    seed, corner, *rest = result.trajectory.points[:, 0, 0].tolist()
    assert (seed, abs(corner - 0.5)) == (0.5, pytest.approx(0.4))
    assert rest == pytest.approx([0.5, 0.7, 0.6, 0.65])
    assert result.x_adv[0].tolist() == pytest.approx([0.6, 0.0])


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_it_stays_in_the_space_and_leaves_its_inputs_alone(make_problem, k, dtype):
    problem = make_problem(k, seed=k, n=9, dtype=dtype, epsilon=0.2)
    problem = problem.but(x=problem.x.to(dtype))
    x, y, grid = problem.x.clone(), problem.y.clone(), problem.counterparts.grid.clone()
    result = LinearCorner().run(*problem.arguments)
    assert torch.equal(problem.x, x)
    assert torch.equal(problem.y, y)
    assert torch.equal(problem.counterparts.grid, grid)
    assert result.x_adv.dtype == dtype
    columns = list(problem.counterparts.columns)
    for points in result.trajectory.points:
        assert problem.space.contains(points, x).all()
        assert torch.equal(points[:, columns], x[:, columns])


def test_neither_the_batch_size_nor_the_company_of_a_row_matters(make_problem):
    problem = make_problem(3, seed=9, n=70, epsilon=0.3)
    expected = LinearCorner().run(*problem.arguments).x_adv
    for size in (3, 50):
        twin = dataclasses.replace(LinearCorner(), batch_size=size)
        assert torch.equal(twin.run(*problem.arguments).x_adv, expected)
    for rows in (slice(2, 3), slice(3, 68)):
        assert torch.equal(LinearCorner().run(*problem.rows(rows).arguments).x_adv, expected[rows])


def test_in_the_feasible_setting_it_proposes_possible_people(credit, credit_model):
    x, y = credit.test.x[:6], credit.test.y[:6]
    space = rafair.PerturbationSpace.of(credit.schema, 0.3, "feasible")
    people = rafair.Counterparts.of(credit.schema, sample=9)
    result = LinearCorner().run(credit_model, x, y, people, space)
    for points in result.trajectory.points:
        assert space.contains(points, x).all()
    assert (result.x_adv != x).any()


def test_its_cost_is_a_gradient_per_step_and_a_look_at_all_of_i_of_v_per_point(problem):
    n, m = len(problem.x), len(problem.counterparts)
    for steps in (0, 2):
        result = LinearCorner(steps).run(*problem.arguments)
        assert result.n_gradients == n * steps
        assert result.n_forwards == n * (m + 1) * (steps + 1)
        assert len(result.trajectory.points) == steps + 2


def test_a_network_without_a_linear_bound_is_refused(make_problem):
    problem = make_problem(2, n=3)
    module = nn.Sequential(nn.Linear(6, 4), nn.Hardshrink(), nn.Linear(4, 2)).double()
    jumping = problem.but(model=rafair.wrap(module, output="logits"))
    with pytest.raises(rafair.InvalidInput, match="this network has Hardshrink"):
        LinearCorner().run(*jumping.arguments)


def test_a_model_without_gradients_is_refused(problem):
    labels_only = dataclasses.replace(problem.model, access="labels")
    with pytest.raises(rafair.InvalidInput, match="LinearCorner needs gradients"):
        LinearCorner().run(*problem.but(model=labels_only).arguments)
