"""What Square and RandomSampling share; ``tests/problem/test_searching.py`` has their budget."""

import dataclasses

import pytest
import torch

import rafair
from rafair.attacks import RandomSampling, Square
from rafair.attacks.query import QueryAttack
from rafair.problem.goals import TARGETS

attacks = pytest.mark.parametrize("make", [Square, RandomSampling])


@dataclasses.dataclass(frozen=True)
class Fixed(QueryAttack):
    """Proposes the same share of Δ for every feature."""

    def propose(self, draw):
        return torch.lerp(draw.low, draw.high, 0.75)


@attacks
def test_both_take_the_same_parameters_in_the_same_order(make):
    attack = make(7, "fair", 3, 50)
    assert dataclasses.asdict(attack) == {
        "queries": 7,
        "target": "fair",
        "random_state": 3,
        "batch_size": 50,
    }


@attacks
def test_a_target_that_does_not_exist_is_refused_in_one_line(make):
    with pytest.raises(rafair.InvalidInput) as caught:
        make(target="unfair")
    assert str(caught.value) == "unknown target 'unfair'; use accurate_fair or accurate or fair"


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_stays_or_goes_where_the_attack_proposes(make_problem, target):
    problem = make_problem(2, seed=4, n=20, epsilon=0.3)
    problem = problem.but(y=problem.model.scores(problem.x).argmax(dim=1))
    result = Fixed(60, target).run(*problem.arguments)
    low, high = problem.space.bounds(problem.x)
    proposed = torch.lerp(low, high, 0.75)
    moved = (result.x_adv != problem.x).any(dim=1)
    assert 0 < moved.sum() < 20
    free = problem.space.perturbable
    assert torch.equal(result.x_adv[moved][:, free], proposed[moved][:, free])
    assert torch.equal(result.x_adv[:, ~free], problem.x[:, ~free])
