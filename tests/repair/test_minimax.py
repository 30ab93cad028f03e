"""The best that a search finds, against brute force and a largest margin computed one by one."""

import dataclasses

import pytest
import torch
from torch import nn

import rafair
import reference
from rafair.attacks import RAFair
from rafair.fairness.verdict import TF
from rafair.repair import Benign, Minimax

GRID = torch.cartesian_prod(*[torch.linspace(0, 1, 41, dtype=torch.float64)] * 2)


def largest_margins(problem, x):
    """Over v and everyone in I(v), the largest lead of another class over y."""
    columns, grid = problem.counterparts.columns, problem.grid
    return torch.tensor(
        [
            max(
                reference.loss_at(problem.module, person, label, "margin")
                for person in reference.people(v, columns, grid)
            )
            for v, label in zip(x, problem.y.tolist(), strict=True)
        ],
        dtype=torch.float64,
    )


def cells(problem, x):
    return rafair.judge(problem.model, x, problem.y, problem.counterparts).cells


@pytest.fixture(scope="module", params=[(2, 7), (2, 32), (3, 28)], ids=str)
def wide(request, make_problem):
    """Problems in which Δ is wide enough for some instances to be repaired, and some not."""
    k, seed = request.param
    return make_problem(k, seed=seed, n=24, epsilon=0.3)


def test_it_repairs_some_and_leaves_the_right_ones_where_they_are(wide):
    before = cells(wide, wide.x)
    x_adv = Minimax().run(*wide.arguments).x_adv
    after = cells(wide, x_adv)
    assert torch.equal(x_adv[before == TF], wide.x[before == TF])
    assert (after[before == TF] == TF).all()
    assert (after == TF).sum() > (before == TF).sum()
    assert (after != TF).any()


def test_the_result_is_the_best_point_visited_and_no_worse_than_the_first(wide):
    result = Minimax().run(*wide.arguments)
    margins = torch.stack([largest_margins(wide, x) for x in result.trajectory.points])
    assert (margins.diff(dim=0) <= 1e-12).all()
    torch.testing.assert_close(largest_margins(wide, result.x_adv), margins.amin(dim=0))
    assert (margins[-1] < margins[0]).sum() > len(wide.x) / 2


def naive_search(problem, v, label, steps, epsilon):
    """The best points so far, step by step: one instance, one person, one feature at a time."""
    columns, grid = problem.counterparts.columns, problem.grid

    def worst_of(point):
        people = reference.people(point, columns, grid)
        margins = [reference.loss_at(problem.module, p, label, "margin") for p in people]
        return people[margins.index(max(margins))], max(margins)

    low, high = (v - epsilon).clamp(0, 1), (v + epsilon).clamp(0, 1)
    here, path = v.clone(), [v]
    person, least = worst_of(here)
    for step in range(steps):
        if least < 0:
            break
        g = reference.gradient(problem.module, person, label, "margin")
        share = 0.01 ** (step / (steps - 1))
        there = here.clone()
        for i in range(len(v)):
            if i not in columns:
                reach = max(float(high[i] - v[i]), float(v[i] - low[i]))
                place = float(here[i]) - share * reach * reference.sign(float(g[i]))
                there[i] = min(max(place, float(low[i])), float(high[i]))
        here = there
        person, margin = worst_of(here)
        path.append(here if margin < least else path[-1])
        least = min(margin, least)
    return path


def test_every_step_goes_down_the_margin_of_whoever_fares_worst(wide):
    points = Minimax(steps=6).run(*wide.arguments).trajectory.points
    for i, (v, label) in enumerate(zip(wide.x, wide.y.tolist(), strict=True)):
        path = naive_search(wide, v, label, 6, 0.3)
        path += path[-1:] * (len(points) - len(path))
        torch.testing.assert_close(points[:, i], torch.stack(path), rtol=0, atol=1e-9)


def test_it_goes_on_from_where_it_is_told_within_the_same_space(wide):
    generator = torch.Generator().manual_seed(3)
    start = torch.rand(wide.x.shape, generator=generator, dtype=torch.float64) * 3 - 1
    x_adv = Minimax().run(*wide.arguments, start).x_adv
    assert wide.space.contains(x_adv, wide.x).all()
    assert torch.equal(x_adv[:, [1, 4]], wide.x[:, [1, 4]])
    nearest = wide.space.project(start, wide.x)
    assert (largest_margins(wide, x_adv) <= largest_margins(wide, nearest) + 1e-12).all()
    assert torch.equal(Minimax(steps=0).run(*wide.arguments, start).x_adv, nearest)


def test_after_benign_perturbations_it_repairs_at_least_as_much(wide):
    mended = Benign(step_size=0.03, steps=10).run(*wide.arguments).x_adv
    best = Minimax().run(*wide.arguments, mended).x_adv
    fine = cells(wide, mended) == TF
    assert torch.equal(best[fine], mended[fine])
    assert (cells(wide, best) == TF).sum() > fine.sum()


def test_a_linear_model_is_repaired_wherever_that_is_possible():
    generator = torch.Generator().manual_seed(0)
    module = nn.Linear(5, 2, dtype=torch.float64)
    module.weight.data = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    module.bias.data = torch.zeros(2, dtype=torch.float64)
    x = torch.rand(200, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(2, (200,), generator=generator)
    counterparts = rafair.Counterparts.product([3], [[0.0, 0.4, 1.0]])
    space = rafair.PerturbationSpace(0.15, [True, True, True, False, True])
    model = rafair.wrap(module, output="logits")
    x_adv = Minimax().run(model, x, y, counterparts, space).x_adv
    # The margin is linear, so the corner of Δ against its slope is best for everyone at once.
    slope = (module.weight[1] - module.weight[0]).detach() * (1 - 2 * y[:, None])
    low, high = space.bounds(x)
    corner = torch.where(slope > 0, low, high)
    possible = rafair.judge(model, corner, y, counterparts).cells == TF
    repaired = rafair.judge(model, x_adv, y, counterparts).cells == TF
    assert torch.equal(repaired, possible)
    assert torch.equal(x_adv[~possible], corner[~possible])
    before = rafair.judge(model, x, y, counterparts).cells == TF
    assert 0 < before.sum() < possible.sum() < len(x)


def brute_force(model, x, y, counterparts, space):
    """Tell for whom some point of a grid over Δ, two features wide, is decided rightly by all."""
    low, high = space.bounds(x)
    spread = torch.cat([GRID, torch.zeros(len(GRID), 1, dtype=torch.float64)], dim=1)
    points = (low[:, None] + (high - low)[:, None] * spread).flatten(0, 1)
    found = rafair.judge(model, points, y.repeat_interleave(len(GRID)), counterparts)
    return (found.cells == TF).view(len(x), -1).any(dim=1)


def test_it_repairs_nearly_all_that_brute_force_does(make_network):
    possible = repaired = 0
    counterparts = rafair.Counterparts.product([2], [[0.0, 0.5, 1.0]])
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        model = rafair.wrap(make_network(3, 2, seed=seed), output="logits")
        x = torch.rand(10, 3, generator=generator, dtype=torch.float64)
        y = torch.randint(2, (10,), generator=generator)
        broken = rafair.judge(model, x, y, counterparts).cells != TF
        x, y = x[broken], y[broken]
        space = rafair.PerturbationSpace((0.1, 0.25, 0.5)[seed % 3], [True, True, False])
        could = brute_force(model, x, y, counterparts, space)
        x_adv = Minimax().run(model, x, y, counterparts, space).x_adv
        now = rafair.judge(model, x_adv, y, counterparts).cells == TF
        possible += int(could.sum())
        repaired += int((could & now).sum())
    assert possible > 30
    assert repaired >= 0.85 * possible


def test_on_a_lattice_it_ends_on_possible_values_no_worse_than_the_start(wide):
    x = wide.x.clone()
    movable = [0, 2, 3, 5]
    x[:, movable] = (x[:, movable] * 10).round() / 10
    space = rafair.PerturbationSpace(0.25, wide.space.perturbable, lattice=0.1)
    on_lattice = wide.but(x=x, space=space)
    x_adv = Minimax().run(*on_lattice.arguments).x_adv
    assert space.contains(x_adv, x).all()
    tenths = x_adv[:, movable] * 10
    torch.testing.assert_close(tenths, tenths.round(), rtol=0, atol=1e-9)
    assert (largest_margins(on_lattice, x_adv) <= largest_margins(on_lattice, x) + 1e-12).all()
    assert (cells(on_lattice, x_adv) == TF).sum() > (cells(on_lattice, x) == TF).sum()


def test_seeds_cut_into_blocks_give_the_same(wide, monkeypatch):
    whole = Minimax().run(*wide.arguments)

    def pairs(_counterparts, n, _rows=None):
        return (slice(at, min(at + 2, n)) for at in range(0, n, 2))

    monkeypatch.setattr(rafair.Counterparts, "blocks", pairs)
    cut = Minimax().run(*wide.arguments)
    for name in ("x_adv", "n_gradients", "n_forwards"):
        one, other = getattr(whole, name), getattr(cut, name)
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def test_the_right_ones_cost_no_gradient_and_one_look(wide):
    fine = wide.rows(cells(wide, wide.x) == TF)
    result = Minimax().run(*fine.arguments)
    assert result.n_gradients == 0
    assert result.n_forwards == len(fine.x) * (len(fine.counterparts) + 1)
    assert torch.equal(result.trajectory.points, fine.x[None])
    everyone = Minimax(steps=5).run(*wide.arguments)
    broken = len(wide.x) - len(fine.x)
    assert broken <= everyone.n_gradients <= 5 * broken


@pytest.mark.parametrize("steps", [-1, 2.5, True, None])
def test_steps_that_are_no_number_of_steps_are_refused(wide, steps):
    with pytest.raises(rafair.InvalidInput, match="steps must be a whole number, 0 or more"):
        Minimax(steps=steps).run(*wide.arguments)


def test_a_row_outside_of_the_domain_is_refused(wide):
    x = wide.x.clone()
    x[2, 3] = 1.5
    with pytest.raises(rafair.InvalidInput, match=r"row 2, column 3: 1\.5 lies outside the domain"):
        Minimax().run(*wide.but(x=x).arguments)


def test_its_parameters_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Minimax().steps = 3


def test_it_repairs_more_attacked_people_than_benign_perturbations_do(credit, credit_model):
    counterparts = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.2)
    x, y = credit.test.x[:20], credit.test.y[:20]
    attacked = RAFair("false_fair").run(credit_model, x, y, counterparts, space).x_adv
    problem = credit_model, attacked, y, counterparts, space
    benign, best = (repair.run(*problem).x_adv for repair in (Benign(), Minimax()))
    before, after, most = (
        int((rafair.judge(credit_model, points, y, counterparts).cells == TF).sum())
        for points in (attacked, benign, best)
    )
    assert before < after <= most
