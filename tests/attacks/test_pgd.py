import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import naive
import rafair
from rafair.attacks import PGD
from rafair.problem import Noise, make_loss
from reference import loss_at

LOSSES = ("cross_entropy", "mse", "margin")


def follow(problem, attack, epsilon=0.06):
    """The naive paths from every start, and the end with the largest loss."""
    noise, paths, ends = Noise.of(problem.x, problem.y, attack.random_state), [], []
    for i, (seed, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        low, high = naive.corners(seed, epsilon, problem.counterparts.columns)
        path, best, largest = [seed], None, None
        for run in range(attack.restarts):
            start = seed
            if run or attack.random_start:
                start = naive.between(low, high, naive.draws(noise, i)(run, len(seed)))
            points = naive.pgd(
                problem.module,
                start,
                label,
                attack.loss,
                low,
                high,
                steps=attack.steps,
                step_size=attack.step_size,
            )
            reached = loss_at(problem.module, points[-1], label, attack.loss)
            if best is None or reached > largest:
                best, largest = points[-1], reached
            path += points
        paths.append(path)
        ends.append(best)
    return naive.stacked(paths), torch.stack(ends)


def assert_naive(problem, attack):
    naive.assert_same(attack.run(*problem.arguments), *follow(problem, attack))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("random_start", [False, True])
def test_it_climbs_by_signed_steps_inside_the_ball(problem, loss, random_start):
    assert_naive(problem, PGD(0.025, 5, loss, random_start=random_start, random_state=3))


@pytest.mark.parametrize("random_start", [False, True])
def test_of_several_starts_the_highest_end_is_kept(problem, random_start):
    assert_naive(problem, PGD(0.025, 3, random_start=random_start, restarts=3))


def test_restarts_never_lower_the_final_loss(make_problem):
    problem = make_problem(3, seed=5, n=30, epsilon=0.3)
    losses = [
        naive.losses_at(
            problem, PGD(0.1, 4, restarts=count).run(*problem.arguments).x_adv, "cross_entropy"
        )
        for count in (1, 2, 4, 8)
    ]
    for before, after in itertools.pairwise(losses):
        assert (after >= before).all()
    assert (losses[-1] > losses[0]).any()


@given(random_state=st.integers(0, 2**32 - 1), epsilon=st.floats(0.0, 1.0))
def test_a_random_start_lies_inside_the_space(make_problem, random_state, epsilon):
    problem = make_problem(2, n=5, epsilon=epsilon)
    result = PGD(steps=0, random_start=True, random_state=random_state).run(*problem.arguments)
    assert torch.equal(result.trajectory.points[-1], result.x_adv)
    assert problem.space.contains(result.x_adv, problem.x).all()
    fixed = ~problem.space.perturbable
    assert torch.equal(result.x_adv[:, fixed], problem.x[:, fixed])


def test_random_starts_fill_the_space(make_problem):
    problem = make_problem(2, n=400, epsilon=0.2)
    starts = PGD(steps=0, random_start=True).run(*problem.arguments).x_adv
    low, high = problem.space.bounds(problem.x)
    share = ((starts - low) / (high - low))[:, problem.space.perturbable]
    assert share.mean() == pytest.approx(0.5, abs=0.03)
    assert share.min() < 0.01
    assert share.max() > 0.99


def test_the_random_state_chooses_the_starts_and_nothing_else(problem):
    one, two = (
        PGD(random_start=True, random_state=s).run(*problem.arguments).x_adv for s in (1, 2)
    )
    assert not torch.equal(one, two)
    certain = [PGD(random_state=s) for s in (1, 2)]
    one, two = (attack.run(*problem.arguments).x_adv for attack in certain)
    assert torch.equal(one, two)


def test_no_steps_leave_the_seed_or_its_start(problem):
    result = PGD(steps=0).run(*problem.arguments)
    assert torch.equal(result.x_adv, problem.x)
    assert (result.n_gradients, result.n_forwards) == (0, 0)
    assert not torch.equal(PGD(steps=0, random_start=True).run(*problem.arguments).x_adv, problem.x)


def test_the_cost_is_a_gradient_per_step_and_a_look_at_each_of_several_ends(problem):
    n = len(problem.x)
    for restarts, forwards in ((1, 0), (3, 3 * n)):
        result = PGD(steps=4, restarts=restarts).run(*problem.arguments)
        assert (result.n_gradients, result.n_forwards) == (n * 4 * restarts, forwards)
        assert len(result.trajectory.points) == 1 + restarts * 5


def test_each_feature_can_have_its_own_step(problem):
    steps = [0.01, 0.5, 0.02, 0.0, 0.5, 0.03]
    result = PGD(steps, 1, random_start=False).run(*problem.arguments)
    moved = (result.x_adv - problem.x).abs().amax(dim=0)
    assert moved.tolist() == pytest.approx([0.01, 0.0, 0.02, 0.0, 0.0, 0.03])


def test_a_loss_of_ones_own_is_climbed(problem):
    own, named = (PGD(loss=loss).run(*problem.arguments) for loss in (make_loss("mse"), "mse"))
    assert torch.equal(own.x_adv, named.x_adv)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, not -1"),
        ({"step_size": float("nan")}, "step_size must be finite and not negative"),
        ({"step_size": [0.1, 0.2]}, "step_size has 2 numbers for 6 features"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(problem, parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        PGD(**parameters).run(*problem.arguments)
    assert str(caught.value) == message
