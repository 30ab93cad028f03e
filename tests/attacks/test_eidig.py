import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks import ADF, EIDIG


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("update_interval", [1, 3])
def test_it_is_adf_with_momentum_and_gradients_kept(problem, decay, update_interval):
    naive.assert_search(problem, EIDIG(0.02, 8, decay, update_interval, random_state=2))


@pytest.mark.parametrize("k", [2, 3])
def test_it_is_adf_with_momentum_and_gradients_kept_in_a_wide_ball(make_problem, k):
    problem = make_problem(k, seed=8 + k, n=20, epsilon=0.2)
    naive.assert_search(problem, EIDIG(0.05, 12), epsilon=0.2)


@pytest.mark.parametrize(("k", "seed"), [(2, 14), (3, 20)])
def test_it_is_adf_with_momentum_and_gradients_kept_where_gradients_vanish(make_problem, k, seed):
    naive.assert_search(make_problem(k, seed=seed, n=16, sparse=True), EIDIG(0.03, 6))


@pytest.mark.parametrize("k", [2, 3])
def test_without_momentum_its_global_phase_is_adfs(make_problem, k, discriminatory):
    """The output's gradient is the cross-entropy's, scaled by p: the signs agree."""
    problem = make_problem(k, seed=8 + k, n=40, epsilon=0.2)
    adf = ADF(0.03, 10).run(*problem.arguments)
    eidig = EIDIG(0.03, 10, decay=0.0, update_interval=1).run(*problem.arguments)
    seen = discriminatory(problem, adf.trajectory.points)
    first = torch.where(seen.any(dim=0), seen.int().argmax(dim=0), 10)
    assert ((first > 0) & seen.any(dim=0)).any()
    assert (first == 10).any()
    for step in range(11):
        seeking = first >= step
        here, there = (result.trajectory.points[step][seeking] for result in (adf, eidig))
        assert torch.equal(here, there)


def test_on_a_linear_model_it_is_adf_throughout():
    """All gradients are multiples of one, and so are their saliencies."""
    module = nn.Linear(4, 2, dtype=torch.float64)
    module.weight.data = torch.tensor([[2.0, -1.0, 1.5, 3.0], [0.5, 0.0, 0.0, 0.0]]).double()
    module.bias.data = torch.tensor([-2.2, 0.0]).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(60, 4, generator=generator, dtype=torch.float64)
    problem = (
        rafair.wrap(module, output="logits"),
        x,
        torch.zeros(60, dtype=torch.int64),
        rafair.Counterparts.product([3], [[0.0, 0.5, 1.0]]),
        rafair.PerturbationSpace(0.2, [True, True, True, False]),
    )
    adf = ADF(0.02, 12).run(*problem).trajectory.points
    eidig = EIDIG(0.02, 12, decay=0.0, update_interval=1).run(*problem).trajectory.points
    assert torch.equal(adf, eidig)
    assert not torch.equal(adf[0], adf[-1])


def test_momentum_and_a_longer_interval_change_the_way(make_problem):
    problem = make_problem(3, seed=11, n=40, epsilon=0.2)
    ends = {
        parameters: EIDIG(0.03, 12, *parameters).run(*problem.arguments)
        for parameters in ((0.0, 1), (0.9, 1), (0.0, 6))
    }
    plain = ends[0.0, 1]
    assert not torch.equal(ends[0.9, 1].trajectory.points, plain.trajectory.points)
    assert not torch.equal(ends[0.0, 6].trajectory.points, plain.trajectory.points)
    assert ends[0.0, 6].n_gradients < plain.n_gradients


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"decay": -0.1}, "decay must lie in [0, 1], not -0.1"),
        ({"decay": 1.5}, "decay must lie in [0, 1], not 1.5"),
        ({"decay": float("nan")}, "decay must lie in [0, 1], not nan"),
        ({"update_interval": 0}, "update_interval must be a whole number, 1 or more, not 0"),
        ({"update_interval": 2.0}, "update_interval must be a whole number, 1 or more, not 2.0"),
        ({"update_interval": True}, "update_interval must be a whole number, 1 or more, not True"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        EIDIG(**parameters)
    assert str(caught.value) == message
