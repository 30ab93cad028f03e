"""What APGD, ACG and MultiAPGD share: checkpoints, and a step size that is halved there."""

import itertools
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import naive
import rafair
from rafair.attacks.adaptive_ascent import AdaptiveAscent, checkpoints
from rafair.attacks.registry import make_attack

LOSSES = ("cross_entropy", "mse", "margin")
attacks = pytest.mark.parametrize("name", ["apgd", "acg", "multi-apgd"])


@dataclass(frozen=True)
class Noting(AdaptiveAscent):
    """Signed steps of a length of its own; notes the points and the step sizes that it is given."""

    steps: int
    rho: float = 0.75
    loss: str = "cross_entropy"
    stride: float | None = None
    batch_size: str = "auto"
    seen: list = field(default_factory=list)

    def first_memory(self, start):
        return (start,)

    def step(self, objective, here, size, iteration):
        self.seen.append((here.x, size))
        length = size if self.stride is None else self.stride
        return here.x + length * here.gradient.sign(), here.memory

    def climbed(self, problem):
        return self.climb(self.objective(*problem.arguments), problem.x)

    @property
    def sizes(self):
        """The step sizes, (steps, n, d)."""
        return torch.stack([size for _, size in self.seen])


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


def test_the_step_starts_at_twice_the_radius_and_is_halved_at_checkpoints_only(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    attack = Noting(40)
    attack.climbed(problem)
    low, high = problem.space.bounds(problem.x)
    radius = torch.maximum(high - problem.x, problem.x - low)
    assert torch.equal(attack.sizes[0], 2 * radius)
    marks = checkpoints(40)
    for before, (size, after) in enumerate(itertools.pairwise(attack.sizes)):
        halved = (after != size).any(dim=1)
        assert torch.equal(after, torch.where(halved.unsqueeze(1), size / 2, size))
        assert before + 1 in marks or not halved.any()
    counts = (attack.sizes[0] / attack.sizes[-1].clamp_min(1e-12)).log2().amax(dim=1).round()
    assert counts.max() >= 3


def test_whoever_never_rises_is_halved_at_every_other_checkpoint_by_the_second_condition(
    make_problem,
):
    problem = make_problem(2, seed=3, n=20, epsilon=0.05)
    attack = Noting(40, rho=0.0, stride=0.0)
    ascent = attack.climbed(problem)
    counts = (attack.sizes[0] / attack.sizes[-1])[:, problem.space.perturbable].log2()
    # Of the eight checkpoints the last comes after the last step.
    assert (counts == 4).all()
    assert torch.equal(ascent.x_adv, problem.x)


def test_whoever_always_rises_keeps_the_step(make_problem):
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    module.weight.data = torch.tensor([[1.0, -2.0, 0.5], [0.5, 1.0, 0.0]]).double()
    linear = make_problem(2).but(
        model=rafair.wrap(module, output="logits"),
        x=torch.full((4, 3), 0.5).double(),
        y=torch.tensor([0, 1, 0, 1]),
        counterparts=rafair.Counterparts.product([2], [[0.0, 1.0]]),
        space=rafair.PerturbationSpace(0.4, [True, True, False]),
    )
    attack = Noting(30, loss="margin", stride=0.001)
    ascent = attack.climbed(linear)
    assert all(torch.equal(size, attack.sizes[0]) for size in attack.sizes)
    assert torch.equal(ascent.x_adv, ascent.points[-1])


def test_after_halving_the_search_goes_on_from_the_best_point(make_problem):
    problem = make_problem(2, seed=3, n=20, epsilon=0.3)
    attack = Noting(30)
    points, seen = attack.climbed(problem).points, attack.seen
    value = naive.losses_at(problem, points, "cross_entropy")
    returned = 0
    for step in range(1, 30):
        halved = (seen[step][1] != seen[step - 1][1]).any(dim=1)
        for i in halved.nonzero()[:, 0].tolist():
            assert torch.equal(seen[step][0][i], points[value[: step + 1, i].argmax(), i])
            returned += not torch.equal(seen[step][0][i], points[step, i])
    assert returned


@pytest.mark.parametrize("name", ["apgd", "acg"])
def test_the_cost_is_a_gradient_per_step_and_one_last_look(problem, name):
    n = len(problem.x)
    result = make_attack(name, steps=8).run(*problem.arguments)
    assert (result.n_gradients, result.n_forwards) == (8 * n, n)
    assert len(result.trajectory.points) == 1 + 9
    result = make_attack(name, steps=8, restarts=2).run(*problem.arguments)
    assert (result.n_gradients, result.n_forwards) == (16 * n, 4 * n)


@attacks
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, not -1"),
        ({"steps": 1.5}, "steps must be a whole number, 0 or more, not 1.5"),
        ({"steps": True}, "steps must be a whole number, 0 or more, not True"),
        ({"rho": 1.1}, "rho must lie in [0, 1], not 1.1"),
        ({"rho": -0.5}, "rho must lie in [0, 1], not -0.5"),
        ({"rho": float("nan")}, "rho must lie in [0, 1], not nan"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(name, parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        make_attack(name, **parameters)
    assert str(caught.value) == message
