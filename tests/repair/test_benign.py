import pytest
import torch

import rafair
import reference
from rafair.attacks import RAFair
from rafair.repair import Benign


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "margin"])
@pytest.mark.parametrize("counterpart", ["every_step", "first"])
def test_it_is_algorithm_2(problem, loss, counterpart):
    repair = Benign(step_size=0.02, steps=5, loss=loss, counterpart=counterpart)
    points = repair.run(*problem.arguments).trajectory.points
    for i, (seed, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        path = reference.walk(
            "benign",
            problem.module,
            seed,
            label,
            problem.counterparts.columns,
            problem.grid,
            steps=5,
            step_size=0.02,
            loss=loss,
            counterpart=counterpart,
            epsilon=0.06,
            fixed=(1, 4),
        )
        torch.testing.assert_close(points[:, i], torch.stack(path), rtol=0, atol=1e-9)


def test_one_step_is_the_false_fair_step_backwards(problem):
    open_space = rafair.PerturbationSpace(1.0, problem.space.perturbable, lower=-9.0, upper=9.0)
    free = problem.but(space=open_space)
    forth = RAFair("false_fair", steps=1).run(*free.arguments).x_adv - problem.x
    back = Benign(steps=1).run(*free.arguments).x_adv - problem.x
    torch.testing.assert_close(back, -forth, rtol=0, atol=1e-15)
    assert forth.abs().max() > 0


def test_a_small_step_lowers_the_loss_of_both(problem):
    trajectory = Benign(steps=2, step_size=1e-6, counterpart="first").run(*problem.arguments)
    before, after = trajectory.trajectory.losses
    assert (after <= before + 1e-15).all()
    assert (after < before).any()


def test_its_ball_lies_around_the_instance_it_starts_from(problem):
    once = Benign(steps=20).run(*problem.arguments).x_adv
    twice = Benign(steps=20).run(*problem.but(x=once).arguments).x_adv
    assert problem.space.contains(twice, once).all()
    assert not problem.space.contains(twice, problem.x).all()


def test_it_makes_accurately_fair_people_of_some_attacked_ones(credit, credit_model):
    counterparts = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.2)
    x, y = credit.test.x[:20], credit.test.y[:20]
    attacked = RAFair("false_fair").run(credit_model, x, y, counterparts, space).x_adv
    repaired = Benign().run(credit_model, attacked, y, counterparts, space).x_adv
    before = rafair.judge(credit_model, attacked, y, counterparts).rates(robust=True)
    after = rafair.judge(credit_model, repaired, y, counterparts).rates(robust=True)
    assert after["r_af"] > before["r_af"]
