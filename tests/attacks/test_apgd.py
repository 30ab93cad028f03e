import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import naive
import rafair
from rafair.attacks import APGD
from rafair.attacks.ascent import Landscape, adaptive_ascent, checkpoints
from rafair.attacks.registry import make_attack

LOSSES = ("cross_entropy", "mse", "margin")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("random_start", [False, True])
def test_it_is_auto_pgd(problem, loss, random_start):
    naive.assert_adaptive(problem, APGD(12, loss, random_start=random_start, random_state=7))


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_auto_pgd_where_there_are_hills_to_overshoot(make_problem, loss):
    problem = make_problem(3, seed=9, n=16, epsilon=0.5)
    naive.assert_adaptive(problem, APGD(25, loss), epsilon=0.5)


def test_it_is_auto_pgd_with_other_parameters(problem):
    naive.assert_adaptive(problem, APGD(10, alpha=0.4, rho=0.3, restarts=3))


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_it_is_auto_pgd_for_a_few_steps(problem, steps):
    naive.assert_adaptive(problem, APGD(steps))


def test_the_checkpoints_are_those_of_the_paper():
    assert checkpoints(100)[:8] == (22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(20) == (5, 9, 12, 14, 16, 18, 19, 20)


@given(st.integers(1, 2000))
def test_the_checkpoints_are_rounded_up_from_exact_shares(steps):
    assert checkpoints(steps) == tuple(sorted(set(naive.checkpoints(steps))))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["apgd", "acg"])
def test_the_best_point_of_all_is_kept(make_problem, name, loss):
    problem = make_problem(3, seed=9, n=16, epsilon=0.5)
    attack = make_attack(name, loss=loss, restarts=2)
    result = attack.run(*problem.arguments)
    visited = naive.losses_at(problem, result.trajectory.points, loss)
    reached = naive.losses_at(problem, result.x_adv, loss)
    after_seed = visited[1:]
    torch.testing.assert_close(reached, after_seed.amax(dim=0), rtol=0, atol=1e-12)
    assert (after_seed[-1] < reached).any()


def test_the_margin_of_two_classes_is_climbed(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    x_adv = APGD(loss="margin").run(*problem.arguments).x_adv
    before, after = (naive.losses_at(problem, points, "margin") for points in (problem.x, x_adv))
    assert (after > before).all()
    assert ((before < 0) & (after > 0)).any()


def land_of(problem, loss="cross_entropy"):
    return Landscape.of("test", *problem.arguments, loss, "auto")


def recorded(problem, steps, rho, stride=1.0):
    """The step lengths that an ascent hands out, (steps, n, d), and where it leads."""
    sizes = []

    def take_step(x, gradient, memory, size, iteration):
        sizes.append(size)
        return x + stride * size * gradient.sign(), memory

    ascent = adaptive_ascent(land_of(problem), problem.x, steps, rho, take_step, problem.x)
    return torch.stack(sizes), ascent


def test_the_step_starts_at_twice_the_radius_and_is_halved_at_checkpoints_only(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    sizes, _ = recorded(problem, 40, 0.75)
    low, high = problem.space.bounds(problem.x)
    radius = torch.maximum(high - problem.x, problem.x - low)
    assert torch.equal(sizes[0], 2 * radius)
    marks = checkpoints(40)
    for before, (size, after) in enumerate(itertools.pairwise(sizes)):
        halved = (after != size).any(dim=1)
        assert torch.equal(after, torch.where(halved.unsqueeze(1), size / 2, size))
        assert before + 1 in marks or not halved.any()
    counts = (sizes[0] / sizes[-1].clamp_min(1e-12)).log2().amax(dim=1).round()
    assert counts.max() >= 3


def test_whoever_never_rises_is_halved_at_every_other_checkpoint_by_the_second_condition(
    make_problem,
):
    problem = make_problem(2, seed=3, n=20, epsilon=0.05)
    sizes, ascent = recorded(problem, 40, 0.0, stride=0.0)
    counts = (sizes[0] / sizes[-1])[:, problem.space.perturbable].log2()
    # Of the eight checkpoints the last comes after the last step.
    assert (counts == 4).all()
    assert torch.equal(ascent.x_adv, problem.x)


def test_whoever_always_rises_keeps_the_step():
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    module.weight.data = torch.tensor([[1.0, -2.0, 0.5], [0.5, 1.0, 0.0]]).double()
    model = rafair.wrap(module, output="logits")
    people = rafair.Counterparts.product([2], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.4, [True, True, False])
    x, y = torch.full((4, 3), 0.5).double(), torch.tensor([0, 1, 0, 1])
    land = Landscape.of("test", model, x, y, people, space, "margin", "auto")
    sizes = []

    def creep(x, gradient, memory, size, iteration):
        sizes.append(size)
        return x + 0.001 * gradient.sign(), memory

    ascent = adaptive_ascent(land, x, 30, 0.75, creep, x)
    assert all(torch.equal(size, sizes[0]) for size in sizes)
    assert torch.equal(ascent.x_adv, ascent.points[-1])


def test_after_halving_the_search_goes_on_from_the_best_point(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    seen = []

    def take_step(x, gradient, memory, size, iteration):
        seen.append((x, size))
        return x + size * gradient.sign(), memory

    land = land_of(problem)
    points = adaptive_ascent(land, problem.x, 30, 0.75, take_step, problem.x).points
    value = naive.losses_at(problem, points, "cross_entropy")
    returned = 0
    for step in range(1, 30):
        halved = (seen[step][1] != seen[step - 1][1]).any(dim=1)
        for i in halved.nonzero()[:, 0].tolist():
            assert torch.equal(seen[step][0][i], points[value[: step + 1, i].argmax(), i])
            returned += not torch.equal(seen[step][0][i], points[step, i])
    assert returned


def test_the_cost_is_a_gradient_per_step_and_one_last_look(problem):
    n = len(problem.x)
    result = APGD(8).run(*problem.arguments)
    assert (result.n_gradients, result.n_forwards) == (8 * n, n)
    assert len(result.trajectory.points) == 1 + 9
    result = APGD(8, restarts=2).run(*problem.arguments)
    assert (result.n_gradients, result.n_forwards) == (16 * n, 4 * n)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, not -1"),
        ({"steps": 1.5}, "steps must be a whole number, 0 or more, not 1.5"),
        ({"alpha": -0.1}, "alpha must lie in [0, 1], not -0.1"),
        ({"alpha": float("nan")}, "alpha must lie in [0, 1], not nan"),
        ({"rho": 1.1}, "rho must lie in [0, 1], not 1.1"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        APGD(**parameters)
    assert str(caught.value) == message


def test_restarts_are_checked(problem):
    with pytest.raises(rafair.InvalidInput, match="restarts must be 1 or more"):
        APGD(restarts=0).run(*problem.arguments)
