import itertools
import math
import sys
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.attacks import PGD, RAFair
from rafair.fairness import choose_seeds, judge
from rafair.models import LeakyGradient
from rafair.problem import (
    Counterparts,
    batching,
    counterpart_gradient_norms,
    dense,
    forward_rows,
    gradient_rows,
    gradients,
    make_loss,
    walking,
)
from rafair.problem.compiling import compiles
from rafair.problem.dense import dense_network, path
from rafair.problem.losses import ErrorProbability

BENCHMARKS = ("adult", "bank", "compas", "credit")
LOSSES = [*map(make_loss, ("mse", "cross_entropy", "margin")), ErrorProbability()]
WIDTHS = ((3, 2), (3, 5, 2), (13, 32, 64, 32, 2), (7, 33, 18, 3), (20, 48, 1), (1, 1, 1, 2))


def network(*widths, bias=True, dtype=torch.float32, seed=0, activation=nn.ReLU):
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out, bias=bias), activation()]
    return nn.Sequential(*layers[:-1]).to(dtype).requires_grad_(requires_grad=False)


def wrapped(module):
    return rafair.wrap(module, output="logits")


@pytest.fixture
def only_autograd(monkeypatch):
    def switch():
        for where in (batching, gradients, walking):
            monkeypatch.setattr(where, "dense_network", lambda _: None)

    return switch


@pytest.fixture(params=BENCHMARKS)
def benchmark_problem(request):
    data = rafair.load_dataset(request.param)
    chosen = choose_seeds(data.test.x, 25)
    x, y = data.test.x[chosen], data.test.y[chosen]
    people = rafair.Counterparts.of(data.schema)
    space = rafair.PerturbationSpace.of(data.schema)
    return rafair.baseline(request.param), x, y, people, space


@pytest.mark.parametrize("mode", ["true_biased", "false_fair", "false_biased"])
def test_rafair_finds_the_same_instances_as_by_autograd(benchmark_problem, only_autograd, mode):
    attack = RAFair(mode=mode, steps=8, step_size=0.02)
    assert dense_network(benchmark_problem[0]) is not None
    fast = attack.run(*benchmark_problem)
    only_autograd()
    slow = attack.run(*benchmark_problem)
    assert torch.equal(fast.trajectory.points, slow.trajectory.points)
    same = fast.trajectory.counterparts == slow.trajectory.counterparts
    assert same.double().mean() >= 0.99  # near-ties
    torch.testing.assert_close(
        fast.trajectory.losses[same], slow.trajectory.losses[same], rtol=0, atol=1e-5
    )
    assert (fast.n_gradients, fast.n_forwards) == (slow.n_gradients, slow.n_forwards)


def test_pgd_and_the_judge_find_the_same_as_by_autograd(benchmark_problem, only_autograd):
    model, _, y, people, _ = benchmark_problem
    fast = PGD(steps=10).run(*benchmark_problem).x_adv
    verdict = judge(model, fast, y, people)
    only_autograd()
    assert torch.equal(PGD(steps=10).run(*benchmark_problem).x_adv, fast)
    assert torch.equal(judge(model, fast, y, people).cells, verdict.cells)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", WIDTHS)
def test_every_shape_is_differentiated_as_by_autograd(only_autograd, widths, bias, loss):
    model = wrapped(network(*widths, bias=bias))
    assert path(model) == "kernels"
    x = torch.rand(157, widths[0], generator=torch.Generator().manual_seed(1))
    y = torch.arange(157) % max(widths[-1], 2)
    fast, scores = gradient_rows(model, x, y, loss), forward_rows(model, x)
    only_autograd()
    slow = gradient_rows(model, x, y, loss)
    for ours, theirs in (
        (fast.direction, slow.direction),
        (fast.log_scale, slow.log_scale),
        (fast.loss, slow.loss),
        (scores, forward_rows(model, x)),
    ):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def leaky_network(slope=0.1):
    """Return a network with every activation that the kernels know."""
    torch.manual_seed(3)
    bent = [nn.LeakyReLU(slope), nn.PReLU(20), nn.ReLU(), nn.PReLU()]
    bent[1].weight.data = torch.randn(20)  # some fall where others rise
    widths, layers = itertools.pairwise((6, 33, 20, 16, 9, 2)), []
    for (n_in, n_out), activation in itertools.zip_longest(widths, bent):
        layers += [nn.Linear(n_in, n_out), activation]
    return nn.Sequential(*layers[:-1]).requires_grad_(requires_grad=False)


LEAKY = {
    "leaky": lambda: wrapped(leaky_network()),
    "leaky backwards": lambda: LeakyGradient(wrapped(network(6, 33, 20, 16, 2)), 0.2),
    "both": lambda: LeakyGradient(wrapped(leaky_network())),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", LEAKY)
def test_leaky_networks_are_differentiated_as_by_autograd(only_autograd, kind, loss):
    model = LEAKY[kind]()
    assert path(model) == "kernels"
    x = torch.randn(157, 6, generator=torch.Generator().manual_seed(1))
    y = torch.arange(157) % 2
    fast, scores = gradient_rows(model, x, y, loss), forward_rows(model, x)
    only_autograd()
    slow = gradient_rows(model, x, y, loss)
    torch.testing.assert_close(fast.full, slow.full, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(scores, forward_rows(model, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", LEAKY)
def test_walks_through_leaky_networks_are_those_by_autograd(only_autograd, kind):
    model = LEAKY[kind]()
    x = torch.rand(25, 6, generator=torch.Generator().manual_seed(1))
    y, people = torch.arange(25) % 2, Counterparts.product([0, 3], [[0.0, 0.4, 1.0]] * 2)
    space = rafair.PerturbationSpace(0.2, [False, True, True, False, True, True])
    attack = RAFair(mode="false_fair", steps=6, step_size=0.02)
    fast = attack.run(model, x, y, people, space).trajectory
    only_autograd()
    slow = attack.run(model, x, y, people, space).trajectory
    assert torch.equal(fast.points, slow.points)
    torch.testing.assert_close(fast.losses, slow.losses, rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("widths", WIDTHS)
def test_norms_at_counterparts_are_those_by_autograd(only_autograd, widths, loss):
    d = widths[0]
    model = wrapped(network(*widths))
    x, y = torch.rand(9, d), torch.arange(9) % max(widths[-1], 2)
    people = Counterparts.product([0, d - 1][:d], [torch.rand(5).tolist()] * min(d, 2))
    fast = counterpart_gradient_norms(model, x, y, people, loss)
    only_autograd()
    slow = counterpart_gradient_norms(model, x, y, people, loss)
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)


class Half:
    """A loss without a slope: nobody says how steep it is."""

    def value(self, z, y):
        return make_loss("mse").value(z, y) / 2

    def derivative(self, z, y):
        direction, log_scale = make_loss("mse").derivative(z, y)
        return direction / 2, log_scale


def test_a_loss_without_a_slope_is_differentiated_as_well():
    model = wrapped(network(4, 8, 2))
    x, y = torch.rand(5, 4), torch.arange(5) % 2
    people = Counterparts.product([1], [[0.0, 0.4, 1.0]])
    half = counterpart_gradient_norms(model, x, y, people, Half())
    whole = counterpart_gradient_norms(model, x, y, people, make_loss("mse"))
    torch.testing.assert_close(half, whole - math.log(2), rtol=0, atol=1e-5)


@given(
    widths=st.lists(st.integers(1, 21), min_size=1, max_size=3),
    chosen=st.lists(st.integers(0, 79), min_size=1, max_size=90),
    threads=st.integers(1, 3),
    activation=st.sampled_from([nn.ReLU, nn.LeakyReLU]),
)
def test_a_row_keeps_its_bits_in_any_company_and_any_number_of_threads(
    widths, chosen, threads, activation
):
    model = wrapped(network(5, *widths, 2, activation=activation))
    x, y = torch.rand(80, 5, generator=torch.Generator().manual_seed(2)), torch.arange(80) % 2
    people = Counterparts.product([0, 3], [[0.0, 0.2, 0.9], torch.linspace(0, 1, 9).tolist()])
    loss = make_loss("mse")

    def found(rows):
        gradient = gradient_rows(model, x[rows], y[rows], loss)
        norms = counterpart_gradient_norms(model, x[rows], y[rows], people, loss)
        return forward_rows(model, x[rows]), gradient.direction, gradient.log_scale, norms

    together = found(torch.arange(80))
    with (
        mock.patch.object(torch, "get_num_threads", return_value=threads),
        mock.patch.object(dense, "PIECE", 16),
    ):
        alone = found(torch.tensor(chosen))
    for everyone, some in zip(together, alone, strict=True):
        assert torch.equal(everyone[torch.tensor(chosen)], some)


def test_another_type_is_left_to_torch():
    assert path(wrapped(network(3, 8, 2, dtype=torch.float64))) == "torch"


def test_without_a_compiler_torch_takes_over(monkeypatch):
    monkeypatch.setitem(sys.modules, "rafair.kernels.rows", None)
    monkeypatch.delattr("rafair.kernels.rows")
    compiles.cache_clear()
    try:
        model, x = wrapped(network(3, 8, 2)), torch.rand(5, 3)
        with pytest.warns(UserWarning, match="torch computes"):
            assert path(model) == "torch"
        torch.testing.assert_close(forward_rows(model, x), model.module(x))
    finally:
        compiles.cache_clear()


def test_changed_weights_are_noticed():
    module = network(3, 8, 2)
    model, x = wrapped(module), torch.rand(5, 3)
    before = forward_rows(model, x)
    module[0].weight.mul_(2)
    changed = forward_rows(model, x)
    assert not torch.equal(changed, before)
    module[0] = nn.Linear(3, 8).requires_grad_(requires_grad=False)
    assert not torch.equal(forward_rows(model, x), changed)
    torch.testing.assert_close(forward_rows(model, x), module(x))


def test_weights_that_still_learn_leave_no_graph():
    module = network(3, 8, 2).requires_grad_()
    model = wrapped(module)
    assert dense_network(model) is not None
    found = gradient_rows(model, torch.rand(5, 3), torch.zeros(5).long(), make_loss("mse"))
    assert not found.direction.requires_grad
    assert not forward_rows(model, torch.rand(5, 3)).requires_grad
    assert module[0].weight.grad is None


def hooked():
    module = network(3, 8, 2)
    module[1].register_forward_hook(lambda _module, _given, found: found + 1)
    return module


def with_a_forward_of_its_own():
    module = network(3, 8, 2)
    module[0].forward = lambda x: x.new_ones(len(x), 8)
    return module


class Doubling(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Skipping(nn.Sequential):
    def forward(self, x):
        return self[0](x)


OTHERS = {
    "hook": hooked,
    "forward": with_a_forward_of_its_own,
    "layer": lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Doubling(4, 2)),
    "sequence": lambda: Skipping(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)),
    "tanh": lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
    "two in a row": lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)),
    "relu last": lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU()),
    "two types": lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2).double()),
    "slopes of others": lambda: nn.Sequential(nn.Linear(3, 4), nn.PReLU(2), nn.Linear(4, 2)),
    "slopes of a type": lambda: nn.Sequential(
        nn.Linear(3, 4), nn.PReLU(dtype=torch.float64), nn.Linear(4, 2)
    ),
    "parametrised": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_may_be_more_than_a_chain_is_left_to_autograd(name):
    module = OTHERS[name]()
    model = wrapped(nn.Sequential(nn.Linear(3, 2)))
    model = type(model)(module, "logits", module, "logits")
    assert dense_network(model) is None


def test_a_leaky_gradient_of_what_is_left_to_autograd_is_left_to_it_too():
    assert dense_network(LeakyGradient(wrapped(OTHERS["tanh"]()))) is None


def test_a_changed_slope_is_noticed():
    module = leaky_network()
    model, x = wrapped(module), torch.randn(5, 6)
    before = forward_rows(model, x)
    module[1].negative_slope = 0.7
    module[3].weight.mul_(2)
    assert not torch.equal(forward_rows(model, x), before)
    torch.testing.assert_close(forward_rows(model, x), module(x))


@pytest.mark.parametrize("slope", [torch.nan, torch.inf, 1e30])
def test_slopes_that_may_overflow_are_left_to_autograd(slope):
    model, x = wrapped(leaky_network(slope)), torch.rand(600, 6)
    assert dense_network(model) is None or not dense_network(model).takes(x)


def test_probabilities_without_a_layer_to_leave_out_are_left_to_autograd():
    module = network(3, 8, 1)
    model = rafair.wrap(module, output="probabilities")
    assert dense_network(model) is None


@pytest.mark.parametrize("weight", [torch.nan, torch.inf, 1e30])
def test_a_network_that_may_overflow_is_left_to_autograd(weight):
    module = network(3, 8, 2)
    module[0].weight[0, 0] = weight
    model, x = wrapped(module), torch.rand(600, 3)
    assert dense_network(model) is None or not dense_network(model).takes(x)


@pytest.mark.parametrize("seed", range(4))
def test_neurons_that_sleep_always_often_or_never_change_nothing(only_autograd, seed):
    module = network(5, 24, 20, 16, 2, seed=seed)
    module[0].weight[3:9] = 0.0
    module[0].bias[3:9] = torch.tensor([-1.0, 0.0, -1e-9, -0.5, -2.0, -1e-30])
    module[2].bias[::2] = -100.0
    module[2].bias[1] = 100.0
    module[4].bias[5] = -100.0
    model = wrapped(module)
    x = torch.rand(700, 5, generator=torch.Generator().manual_seed(seed)) * 4 - 2
    y = torch.arange(700) % 2
    fast = gradient_rows(model, x, y, make_loss("mse"))
    only_autograd()
    slow = gradient_rows(model, x, y, make_loss("mse"))
    torch.testing.assert_close(fast.full, slow.full, rtol=1e-4, atol=1e-6)


def test_a_network_that_always_sleeps_still_answers():
    module = network(5, 24, 20, 2)
    module[0].weight.zero_()
    module[0].bias.fill_(-1.0)
    model, x = wrapped(module), torch.rand(600, 5)
    torch.testing.assert_close(forward_rows(model, x), module(x))


def test_rows_that_may_overflow_are_left_to_autograd():
    found = dense_network(wrapped(network(3, 8, 2)))
    assert found is not None
    assert found.takes(torch.rand(5, 3))
    for entry in (1e31, -1e31, torch.nan, torch.inf):
        assert not found.takes(torch.full((5, 3), entry))


@pytest.mark.parametrize("weight", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_are_refused(weight):
    module = network(3, 8, 2)
    model = wrapped(module)
    module[2].weight.fill_(1.0)
    module[0].weight[0, 0] = weight
    with pytest.raises(rafair.InvalidInput, match="NaN or infinity"):
        forward_rows(model, torch.ones(5, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device at hand")
def test_on_a_gpu_everything_stays_there_and_means_the_same(benchmark_problem):
    model, x, y, people, space = benchmark_problem
    there = model.to(torch.device("cuda")), x.cuda(), y.cuda(), people, space
    attack = RAFair(mode="false_fair", steps=8, step_size=0.02)
    here, away = attack.run(*benchmark_problem), attack.run(*there)
    assert away.x_adv.is_cuda
    assert away.trajectory.points.is_cuda
    cells = judge(there[0], away.x_adv, there[2], people).cells
    assert cells.is_cuda
    same = cells.cpu() == judge(model, here.x_adv, y, people).cells
    assert same.double().mean() >= 0.9  # another processor rounds otherwise
