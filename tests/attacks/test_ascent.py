"""What FGSM, PGD, APGD, ACG and MultiAPGD share: a bounded Δ, a loss, and starts."""

import math
from dataclasses import fields

import pytest
import torch

import naive
import rafair
from rafair.attacks.ascent import GradientAscent, Objective
from rafair.attacks.registry import attack_classes, make_attack
from rafair.problem import make_loss

ASCENTS = [n for n, attack in attack_classes().items() if issubclass(attack, GradientAscent)]
RESTARTED = [n for n in ASCENTS if "restarts" in {f.name for f in fields(attack_classes()[n])}]
ascents = pytest.mark.parametrize("name", ASCENTS)
restarted = pytest.mark.parametrize("name", RESTARTED)


def test_fgsm_alone_has_a_single_start():
    assert set(ASCENTS) == {"fgsm", "pgd", "apgd", "acg", "multi-apgd"}
    assert set(RESTARTED) == {*ASCENTS} - {"fgsm"}


@ascents
def test_an_unbounded_space_is_refused(problem, name):
    space = rafair.PerturbationSpace(
        math.inf, problem.space.perturbable, lower=-math.inf, upper=math.inf
    )
    attack = make_attack(name)
    with pytest.raises(rafair.InvalidInput) as caught:
        attack.run(*problem.but(space=space).arguments)
    who = type(attack).__name__
    assert str(caught.value) == f"{who} needs a bounded Δ; give a finite epsilon"


@ascents
def test_an_unknown_loss_is_refused(problem, name):
    attack = make_attack(name, loss="hinge")
    with pytest.raises(rafair.InvalidInput, match="unknown loss 'hinge'"):
        attack.run(*problem.arguments)


@restarted
@pytest.mark.parametrize("restarts", [0, -1, 1.5, True, None])
def test_restarts_that_are_no_number_of_starts_are_refused(problem, name, restarts):
    with pytest.raises(rafair.InvalidInput) as caught:
        make_attack(name, restarts=restarts).run(*problem.arguments)
    expected = f"restarts must be a whole number, 1 or more, not {restarts!r}"
    assert str(caught.value) == expected


@restarted
def test_the_first_start_is_the_seed_or_random_and_the_others_are_random(problem, name):
    for random_start in (False, True):
        attack = make_attack(name, steps=0, random_start=random_start, restarts=3)
        points = attack.run(*problem.arguments).trajectory.points
        assert len(points) == 4
        assert torch.equal(points[0], problem.x)
        assert torch.equal(points[1], problem.x) != random_start
        assert not torch.equal(points[2], points[3])
        for start in points:
            assert problem.space.contains(start, problem.x).all()


def test_an_objective_is_the_loss_at_v(problem):
    low, high = problem.space.bounds(problem.x)
    loss = make_loss("cross_entropy")
    objective = Objective(problem.model, problem.x, problem.y, loss, low, high, "auto")
    expected = naive.losses_at(problem, problem.x, "cross_entropy")
    torch.testing.assert_close(objective.value(problem.x), expected, rtol=0, atol=1e-12)
    gradient = objective.gradient(problem.x, 0)
    torch.testing.assert_close(gradient.loss, expected, rtol=0, atol=1e-12)
    assert torch.equal(objective.sign(problem.x), gradient.full.sign())
    assert torch.equal(objective.clip(problem.x + 9), high)
    assert torch.equal(objective.clip(problem.x - 9), low)
    free = problem.space.perturbable
    assert (objective.radius[:, free] <= 0.06 + 1e-12).all()
    assert (objective.radius[:, free] > 0).all()
    assert (objective.radius[:, ~free] == 0).all()
