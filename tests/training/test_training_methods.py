"""Contracts of every training method, and of the loop around it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rafair
from rafair.problem import Counterparts, PerturbationSpace
from rafair.training import Options, Task, fit_robust, make_method, method_classes, method_names
from rafair.training.checkpoint import (
    identity_of_training,
    read_checkpoint,
    serialise_checkpoint,
)
from rafair.training.interval import dense, interval_margins
from rafair.training.loop import usual_batch, usual_epochs
from rafair.training.network import fresh_network
from rafair.training.task import Batch

NETWORKS = [
    *("adversarial", "certified", "counterpart", "logistic"),
    *("rafair", "standard", "worst-counterpart"),
]
METHODS = ["adversarial", "boosted-stumps", *NETWORKS[1:]]
DEEP = (32, 64, 128, 64, 32)
FEW = Options(epochs=3, batch_size=64, random_state=5)


def task_of(data, n=150, setting="paper", balance=0.0):
    people = Counterparts.of(data.schema)
    space = PerturbationSpace.of(data.schema, 0.05, setting)
    x, y = data.train.x[:n], data.train.y[:n]
    return Task.of(x, y, len(data.schema.classes), people, space, balance)


@pytest.fixture(scope="module")
def task(credit):
    return task_of(credit)


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request, task):
    return request.param, fit_robust(make_method(request.param), task, FEW)


def test_the_registry_finds_every_method():
    assert list(method_names()) == METHODS
    assert all(kind.name == name for name, kind in method_classes().items())


def test_a_method_changes_the_network_in_its_own_way(trained, task):
    name, found = trained
    again = fit_robust(make_method(name), task, FEW)
    weights = [layer.weight for layer in dense(found.network)]
    for one, other in zip(weights, dense(again.network), strict=True):
        assert torch.equal(one, other.weight)
    other = "standard" if name != "standard" else "certified"
    apart = fit_robust(make_method(other), task, FEW)
    assert not torch.equal(weights[-1], dense(apart.network)[-1].weight)


def test_a_robust_loss_is_finite_and_has_a_gradient_for_each_person(task):
    generator = torch.Generator().manual_seed(0)
    network = fresh_network(task.x.shape[1], 2, DEEP, generator)
    for name in NETWORKS:
        kind = method_classes()[name]
        batch = Batch(task, task.x, 1.0, generator)
        loss = kind().robust_loss(network, batch)
        assert loss.shape == (len(task),), name
        assert bool(loss.isfinite().all()), name
        loss.sum().backward()
        assert any(bool((p.grad != 0).any()) for p in network.parameters()), name
        network.zero_grad()


def test_strength_zero_is_standard_training(task):
    plain = fit_robust(make_method("standard"), task, FEW).network
    none = fit_robust(make_method("adversarial", 0.0), task, FEW).network
    assert all(map(torch.equal, plain.state_dict().values(), none.state_dict().values()))


def test_without_sensitive_columns_no_score_depends_on_them(credit, task):
    found = fit_robust(make_method("certified"), task, Options(without_sensitive=True, epochs=2))
    x = credit.test.x[:40].float()
    other = x.clone()
    other[:, task.sensitive] = torch.rand(40, len(task.sensitive))
    assert torch.equal(found.network(x), found.network(other))
    model = rafair.wrap(found.network, credit.schema, output="logits")
    assert rafair.judge(model, x, credit.test.y[:40], task.counterparts).fair.all()


def test_an_interrupted_training_ends_with_the_same_bits(task):
    method, states = make_method("rafair"), []
    identity = identity_of_training(method, task, FEW)
    keep = lambda state: states.append(serialise_checkpoint(identity, state))  # noqa: E731
    whole = fit_robust(method, task, FEW, keep=keep)
    for content in states[:2]:
        state = read_checkpoint(content, identity)
        rest = fit_robust(method, task, FEW, state=state)
        assert rest.epoch == whole.epoch
        assert rest.figures == whole.figures
        for name, weight in whole.network.state_dict().items():
            assert torch.equal(weight, rest.network.state_dict()[name])


def test_a_checkpoint_of_another_training_is_refused(task):
    identity = identity_of_training(make_method("certified"), task, FEW)
    content = serialise_checkpoint(identity, {"epoch": 1})
    other = identity_of_training(make_method("adversarial"), task, Options(epochs=4))
    with pytest.raises(rafair.InvalidInput, match="with other method, options"):
        read_checkpoint(content, other)
    with pytest.raises(rafair.InvalidInput, match="no checkpoint"):
        read_checkpoint(content[:50], identity)


@pytest.mark.parametrize("name", ["counterpart", "rafair", "worst-counterpart"])
def test_a_method_about_counterparts_needs_a_sensitive_column(task, name):
    alone = Task.of(task.x, task.y, 2, None, task.space)
    with pytest.raises(rafair.InvalidInput, match="needs a sensitive column"):
        fit_robust(make_method(name), alone, FEW)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"epochs": 0}, "epochs must be"),
        ({"batch_size": 1.5}, "batch_size must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
    ],
)
def test_options_without_a_meaning_are_refused(how, told):
    with pytest.raises(rafair.InvalidInput, match=told):
        Options(**how)
    with pytest.raises(rafair.InvalidInput, match="strength must lie"):
        make_method("certified", 1.5)
    with pytest.raises(rafair.InvalidInput, match="unknown method"):
        make_method("magic")


def test_class_weights_make_classes_alike(credit):
    task = task_of(credit, 300, balance=1.0)
    weighed = [float(task.weights[task.y[task.y == c]].sum()) for c in (0, 1)]
    assert weighed[0] == pytest.approx(weighed[1], rel=1e-5)
    assert sum(weighed) == pytest.approx(len(task))
    assert task_of(credit, 300).weights.tolist() == pytest.approx([1.0, 1.0])
    with pytest.raises(rafair.InvalidInput, match="balance must lie"):
        task_of(credit, 300, balance=2.0)


@pytest.mark.parametrize("setting", ["paper", "feasible"])
def test_drawn_counterparts_lie_in_the_box_that_the_bounds_cover(credit, setting):
    task = task_of(credit, 100, setting)
    batch = Batch(task, task.x, 1.0, torch.Generator().manual_seed(1))
    low, high = batch.box()
    for _ in range(5):
        people = batch.counterparts()
        assert bool(((people >= low - 1e-6) & (people <= high + 1e-6)).all())
        inside = task.space.contains(people[:, :].clone(), people)
        assert bool(inside.all())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), reach=st.floats(0.0, 0.3))
def test_interval_margins_are_below_every_margin_in_the_box(seed, reach):
    generator = torch.Generator().manual_seed(seed)
    network = fresh_network(4, 3, DEEP, generator).double()
    x = torch.rand(5, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (5,), generator=generator)
    bound = interval_margins(network, x - reach, x + reach, y)
    for _ in range(20):
        point = x + reach * (2 * torch.rand(x.shape, generator=generator).double() - 1)
        scores = network(point)
        margins = scores.gather(1, y[:, None]) - scores
        assert bool((margins >= bound - 1e-9).all())
    assert bound.gather(1, y[:, None]).abs().max() < 1e-12


def test_a_loss_that_is_not_finite_is_told(task):
    with pytest.raises(rafair.InvalidInput, match="no longer finite"):
        fit_robust(make_method("certified"), task, Options(epochs=5, learning_rate=1e30))


def test_the_number_of_epochs_grows_for_few_rows():
    assert usual_epochs(30_000, usual_batch(30_000)) == 60
    batch = usual_batch(600)
    assert math.isclose(usual_epochs(600, batch) * -(-600 // batch), 3000, rel_tol=0.1)


def test_the_worst_case_of_a_linear_model_is_exact(credit):
    people = Counterparts.of(credit.schema)
    space = PerturbationSpace.of(credit.schema, 0.05, "paper")
    x, y = credit.train.x[:300], credit.train.y[:300]
    task = Task.of(x, y, 2, people, space)
    network = fit_robust(make_method("logistic", 0.5), task, Options(epochs=30)).network
    model = rafair.wrap(network, credit.schema, output="logits")
    status = rafair.certify(model, x, y, people, space).status
    margins = interval_margins(network, task.low, task.high, y)
    worst = margins.gather(1, 1 - y[:, None])[:, 0]
    clear = worst.abs() > 1e-4
    assert ((status == 1) == (worst > 0))[clear].all()
    assert 0 < int((status == 1).sum()) < 300


def test_a_linear_model_is_kept_and_read_as_such(credit, tmp_path):
    task = task_of(credit)
    network = fit_robust(make_method("logistic"), task, FEW).network
    content = rafair.models.serialise_fcnn(network, credit.schema, {"accuracy": 0.5})
    (tmp_path / "net.safetensors").write_bytes(content)
    again = rafair.load_model(tmp_path / "net.safetensors", credit.schema)
    assert torch.equal(again.scores(task.x), network(task.x))
