"""Boosted stumps: their worst case is exact, each lowers the loss, and they are kept and proved."""

import itertools

import numpy as np
import pytest
import torch

import rafair
from rafair.models import Stumps, serialise_model
from rafair.problem import Counterparts, PerturbationSpace
from rafair.training import Options, Task, fit_robust, make_method
from rafair.training.boosting import Boosting
from rafair.training.checkpoint import (
    identity_of_training,
    read_checkpoint,
    serialise_checkpoint,
)
from rafair.training.margins import Margins, cuts_of

FEW = Options(epochs=4, random_state=5)


@pytest.fixture(scope="module")
def problem(credit):
    return Counterparts.of(credit.schema), PerturbationSpace.of(credit.schema, 0.05, "paper")


@pytest.fixture(scope="module")
def task(credit, problem):
    return Task.of(credit.train.x[:300], credit.train.y[:300], 2, *problem)


def test_cuts_lie_between_all_values_or_at_quantiles():
    assert cuts_of(np.array([0.0, 1.0, 0.5, 0.5])).tolist() == [0.25, 0.75]
    assert cuts_of(np.zeros(5)).size == 0
    many = cuts_of(np.arange(1000) / 1000)
    assert 32 < len(many) <= 64
    assert (np.diff(many) > 0).all()


def test_the_least_margin_is_that_of_the_worst_person():
    drawn = np.random.default_rng(3)
    x, y = torch.rand(8, 2), torch.tensor([0, 1] * 4)
    box = (x - 0.2).clamp(0, 1), (x + 0.2).clamp(0, 1)
    people = Task(x, y, torch.ones(2), *box, None, None)
    cuts = [np.array([0.2, 0.5, 0.8]), np.array([0.4, 0.6])]
    values = [drawn.normal(size=4), drawn.normal(size=3)]
    at_v, worst = Margins(people, cuts, values).both(0.3)
    for person, (low, high) in enumerate(zip(*box, strict=True)):
        side = 2 * int(y[person]) - 1

        def margin(point, side=side):
            pieces = [int((own <= z).sum()) for own, z in zip(cuts, point, strict=True)]
            return side * (0.3 + values[0][pieces[0]] + values[1][pieces[1]])

        ends = [np.linspace(float(a), float(b), 60) for a, b in zip(low, high, strict=True)]
        assert worst[person] == pytest.approx(min(map(margin, itertools.product(*ends))))
        assert at_v[person] == pytest.approx(margin(x[person].numpy()))


@pytest.mark.parametrize("step", [0.3, -0.3])
def test_the_gain_of_a_stump_is_the_change_of_the_margins(task, step):
    drawn = np.random.default_rng(1)
    cuts = [cuts_of(column) for column in task.x.double().numpy().T]
    values = [drawn.normal(size=len(own) + 1) for own in cuts]
    margins, slopes = Margins(task, cuts, values), drawn.random((2, len(task)))
    before = margins.both(0.0)
    for place in (1, 4, 12):
        gains = margins.gains(place, values[place], slopes, step)
        assert gains[0] == 0
        for piece in range(1, len(gains)):
            changed = [numbers.copy() for numbers in values]
            changed[place][piece:] += step
            after = Margins(task, cuts, changed).both(0.0)
            change = [b - a for a, b in zip(before, after, strict=True)]
            assert gains[piece] == pytest.approx(np.vdot(slopes, change))


def test_every_epoch_lowers_the_loss(task):
    losses = []
    fit_robust(
        make_method("boosted-stumps"), task, FEW, on_epoch=lambda _, __, f: losses.append(f.loss)
    )
    assert len(losses) == 4
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_its_own_worst_case_is_what_is_certified(credit, task, problem):
    trained = fit_robust(make_method("boosted-stumps"), task, Options(epochs=15))
    model = rafair.wrap(trained.network, credit.schema)
    x, y = credit.test.x[:150], credit.test.y[:150]
    status = rafair.certify(model, x, y, *problem).status
    boosting = Boosting(0.8, task, Options())
    tables = {place: (cuts, sums) for place, cuts, sums in trained.network.tables()}
    nothing = (torch.zeros(0), torch.zeros(1))
    cuts, sums = zip(*(tables.get(place, nothing) for place in range(x.shape[1])), strict=True)
    people = Task.of(x, y, 2, *problem)
    margins = Margins(people, [one.numpy() for one in cuts], [one.double().numpy() for one in sums])
    _, worst = margins.both(float(trained.network.base))
    assert boosting.people.x.shape[1] == len(cuts)
    assert (status != 0).all()
    assert ((status == 1).numpy() == (worst > 0)).all()
    assert 30 < int((status == 1).sum()) < 150


def test_the_same_seed_gives_the_same_bits_also_after_an_interruption(task):
    method, states = make_method("boosted-stumps"), []
    identity = identity_of_training(method, task, FEW)
    keep = lambda state: states.append(serialise_checkpoint(identity, state))  # noqa: E731
    whole = fit_robust(method, task, FEW, keep=keep)
    for content in (None, *states[:2]):
        state = None if content is None else read_checkpoint(content, identity)
        rest = fit_robust(method, task, FEW, state=state)
        assert (rest.epoch, rest.epochs, rest.figures) == (whole.epoch, 4, whole.figures)
        for name, weight in whole.network.state_dict().items():
            assert torch.equal(weight, rest.network.state_dict()[name])


def test_without_sensitive_columns_no_stump_is_about_them(task):
    small = Task.of(task.x, task.y, 2, task.counterparts, PerturbationSpace(0.0, [True] * 20, 0, 1))
    for without in (True, False):
        found = fit_robust(
            make_method("boosted-stumps", 0.0), small, Options(without_sensitive=without, epochs=20)
        )
        read = set(found.network.feature.tolist())
        assert bool(read & set(task.sensitive)) is not without


def test_a_person_of_whom_nothing_can_be_proved_leaves_the_majority():
    drawn = torch.Generator().manual_seed(0)
    x, y = torch.rand(200, 3, generator=drawn), torch.arange(200) % 5 == 0
    everywhere = torch.zeros(200, 3), torch.ones(200, 3)
    task = Task(x, y.long(), torch.ones(2), *everywhere, None, None)
    found = fit_robust(make_method("boosted-stumps", 1.0), task, Options())
    assert len(found.network.feature) == 0
    assert set(found.network(x).argmax(dim=1).tolist()) == {0}
    assert found.figures.n_classes == 1


def test_what_has_no_meaning_is_refused(task):
    with pytest.raises(rafair.InvalidInput, match="has no batches; leave batch_size away"):
        fit_robust(make_method("boosted-stumps"), task, Options(batch_size=5))
    three = Task(task.x, task.y, torch.ones(3), task.low, task.high, None, task.space)
    with pytest.raises(rafair.InvalidInput, match="There are 3 classes; use another method"):
        fit_robust(make_method("boosted-stumps"), three, Options())


@pytest.fixture(scope="module")
def written(task, credit):
    network = fit_robust(make_method("boosted-stumps"), task, FEW).network
    return network, serialise_model(network, credit.schema, {"accuracy": 0.5})


def test_a_sum_of_stumps_is_kept(written, credit, tmp_path):
    network, content = written
    path = tmp_path / "stumps.safetensors"
    path.write_bytes(content)
    again = rafair.load_model(path, credit.schema)
    x = credit.test.x[:50]
    assert torch.equal(again.scores(x), network(x))
    assert again.kind == "sum of stumps"
    assert again.digest() == rafair.wrap(network, credit.schema).digest()
    with pytest.raises(rafair.InvalidInput, match="trained with other features"):
        rafair.load_model(path, rafair.load_dataset("compas").schema)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"feature": torch.tensor([99])}, "reads a feature that there is not"),
        ({"cut": torch.tensor([float("nan")], dtype=torch.float64)}, "NaN or infinite"),
        ({"base": torch.zeros(2, dtype=torch.float64)}, "do not fit a sum of stumps"),
        ({"step": torch.zeros(2, dtype=torch.float64)}, "do not fit a sum of stumps"),
    ],
)
def test_a_damaged_file_is_refused(credit, tmp_path, change, told):
    one = torch.ones(1, dtype=torch.float64)
    whole = {"base": one[0].clone(), "feature": torch.tensor([0]), "cut": one, "step": one * 2}
    path = tmp_path / "stumps.safetensors"
    path.write_bytes(serialise_model(Stumps(**{**whole, **change}, width=20), credit.schema, {}))
    with pytest.raises(rafair.InvalidInput, match=told):
        rafair.load_model(path, credit.schema)


def test_stumps_read_unit_space_and_the_columns_of_the_schema(credit):
    one = torch.ones(1, dtype=torch.float64)
    model = Stumps(one[0], torch.tensor([15]), one, one, width=20)
    with pytest.raises(rafair.InvalidInput, match="reads unit space, not frame"):
        rafair.wrap(model, credit.schema, inputs="frame")
    with pytest.raises(rafair.InvalidInput, match="reads 20 columns, not 8"):
        rafair.wrap(model, rafair.load_dataset("compas").schema)
    assert rafair.wrap(model).width == 20
