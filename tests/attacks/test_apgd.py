import pytest

import naive
import rafair
from rafair.attacks import APGD

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


def test_the_margin_of_two_classes_is_climbed(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    x_adv = APGD(loss="margin").run(*problem.arguments).x_adv
    before, after = (naive.losses_at(problem, points, "margin") for points in (problem.x, x_adv))
    assert (after > before).all()
    assert ((before < 0) & (after > 0)).any()


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_a_momentum_that_is_no_share_is_refused(alpha):
    with pytest.raises(rafair.InvalidInput) as caught:
        APGD(alpha=alpha)
    assert str(caught.value) == f"alpha must lie in [0, 1], not {alpha!r}"
