"""Trees behind the stumps: their bound holds, they lower the loss, and keep their directions."""

import itertools

import numpy as np
import pytest
import torch

import rafair
from rafair.models import Stumps, serialise_model
from rafair.models.stumps import Trees
from rafair.problem import Counterparts, PerturbationSpace
from rafair.training import Options, Task, directions_of, fit_robust, make_method
from rafair.training.boosting import Boosting
from rafair.training.checkpoint import (
    identity_of_training,
    read_checkpoint,
    serialise_checkpoint,
)
from rafair.training.growing import Grower, Tree, TreeMargins

DEEP = Options(epochs=3, depth=2)
N = 400


@pytest.fixture(scope="module")
def problem(credit):
    return Counterparts.of(credit.schema), PerturbationSpace.of(credit.schema, 0.05, "paper")


@pytest.fixture(scope="module")
def task(credit, problem):
    return Task.of(credit.train.x[:300], credit.train.y[:300], 2, *problem)


@pytest.fixture(scope="module")
def trained(task):
    return fit_robust(make_method("boosted-stumps"), task, DEEP)


@pytest.fixture
def crowd():
    """400 people with two features of ten pieces, and the intervals in which each may be."""
    drawn = np.random.default_rng(2)
    own = drawn.integers(0, 10, (2, N), dtype=np.int32)
    first = np.maximum(own - drawn.integers(0, 2, own.shape, dtype=np.int32), 0)
    last = np.minimum(own + drawn.integers(0, 2, own.shape, dtype=np.int32), 9)
    # What one feature says depends on the other, which no sum of stumps can tell.
    side = np.where((own[0] > 3) & (own[0] < 8) & (own[1] > 3) | (own[1] > 7), 1.0, -1.0)
    return TreeMargins(((own, own), (first, last)), side)


def grown(crowd, depth=2, direction=(0, 0)):
    grower = Grower(crowd, (0, 1), (10, 10), depth, np.array(direction), 1 / N)
    weights = [np.full(N, 0.2 / N), np.full(N, 0.8 / N)]
    return grower.grow(weights, [np.zeros(N), np.zeros(N)])


def answer(tree, pieces):
    """Walk down a tree by hand."""
    node = 0
    while node < len(tree.feature):
        place = tree.feature[node]
        node = 2 * node + 1 + int(place >= 0 and pieces[place] >= tree.piece[node])
    return tree.value[node - len(tree.feature)]


def test_the_least_of_a_tree_is_that_of_everybody_within_reach(crowd):
    drawn = np.random.default_rng(4)
    tree = Tree(
        np.array([0, 1, -1, 0, 1, 0, 1]),
        np.array([5, 4, 0, 2, 7, 8, 4]),
        drawn.normal(size=8),
        np.full(8, -np.inf),
        np.full(8, np.inf),
    )
    (own, _), (first, last) = crowd.intervals
    at_v, worst = crowd.least(tree)
    for person in range(0, N, 7):
        ends = zip(first[:, person], last[:, person], strict=True)
        everybody = itertools.product(*(range(low, high + 1) for low, high in ends))
        side = crowd.side[person]
        assert worst[person] == min(side * answer(tree, pieces) for pieces in everybody)
        assert at_v[person] == side * answer(tree, own[:, person])


def test_the_first_split_is_the_best_of_all(crowd):
    """By brute force: each cut, both orders of the sides, everybody where the margin is least."""
    tree = grown(crowd, depth=1)
    weights = (0.2 / N, 0.8 / N)
    ridge, least = 10.0 / N, 20.0 / (4 * N)
    found = {}
    for place, piece, rises in itertools.product((0, 1), range(1, 10), (True, False)):
        sums = np.zeros((2, 2))
        for (first, last), weight in zip(crowd.intervals, weights, strict=True):
            for person, side in enumerate(crowd.side):
                reached = {first[place, person] >= piece, last[place, person] >= piece}
                above = min(reached, key=lambda up: side * int(up == rises))
                sums[int(above)] += side * weight / 2, weight / 4
        values = sums[:, 0] / (sums[:, 1] + ridge)
        if (sums[:, 1] >= least).all() and (values[1] > values[0]) == rises:
            found[place, piece] = (sums[:, 0] * values).sum() / 2
    assert (tree.feature[0], tree.piece[0]) == max(found, key=found.get)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_deeper_trees_lower_the_bounded_loss_further(crowd, depth):
    def loss(tree):
        return sum(
            share * np.logaddexp(0, -margins).mean()
            for share, margins in zip((0.2, 0.8), crowd.least(tree), strict=True)
        )

    assert loss(grown(crowd, depth)) < np.log(2)
    assert depth == 1 or loss(grown(crowd, depth)) < loss(grown(crowd, depth - 1))


@pytest.mark.parametrize("direction", [(1, -1), (-1, 1), (-1, 0)])
def test_a_tree_keeps_its_directions(crowd, direction):
    tree = grown(crowd, 3, direction)
    table, free = (
        np.array([[answer(each, (a, b)) for b in range(10)] for a in range(10)])
        for each in (tree, grown(crowd, 3))
    )
    for axis, way in enumerate(direction):
        assert (way * np.diff(table, axis=axis) >= 0).all()
    assert any((way * np.diff(free, axis=axis) < 0).any() for axis, way in enumerate(direction))
    assert np.ptp(table) > 0


def test_trees_follow_the_stumps_and_lower_the_loss(task):
    seen = []
    fit_robust(make_method("boosted-stumps"), task, DEEP, on_epoch=lambda *told: seen.append(told))
    assert [done for done, _, _ in seen] == list(range(1, len(seen) + 1))
    assert 3 < len(seen) <= 6
    assert {total for _, total, _ in seen} == {6}
    assert all(b.loss < a.loss for (*_, a), (*_, b) in itertools.pairwise(seen))


def test_what_is_bounded_is_proved(credit, trained, task, problem):
    network = trained.network
    assert network.trees.depth == 2
    model = rafair.wrap(network, credit.schema)
    x, y = credit.test.x[:60], credit.test.y[:60]
    status = rafair.certify(model, x, y, *problem).status
    boosting = Boosting(0.8, task, DEEP)
    states = []
    fit_robust(make_method("boosted-stumps"), task, DEEP, keep=states.append)
    boosting.load(states[trained.epoch - 1])
    boosting.held = Task.of(x, y, 2, *problem)
    boosting._place(boosting.trees)
    bound = boosting._figures()
    proved = float((status == 1).double().mean())
    assert (status != 0).all()
    assert 0.3 < bound.r_af <= proved < 1
    right = (model.scores(x).argmax(dim=1) == y).double().mean()
    assert bound.accuracy == pytest.approx(float(right))


def test_the_same_seed_gives_the_same_bits_also_after_an_interruption(task, trained):
    method, states = make_method("boosted-stumps"), []
    identity = identity_of_training(method, task, DEEP)
    keep = lambda state: states.append(serialise_checkpoint(identity, state))  # noqa: E731
    fit_robust(method, task, DEEP, keep=keep)
    for content in (states[2], states[4]):
        rest = fit_robust(method, task, DEEP, state=read_checkpoint(content, identity))
        assert rest.figures == trained.figures
        for name, weight in trained.network.state_dict().items():
            assert torch.equal(weight, rest.network.state_dict()[name])


@pytest.mark.parametrize("depth", [1, 2])
def test_a_model_keeps_its_directions_exactly(credit, task, depth):
    free = fit_robust(make_method("boosted-stumps", 0.1), task, Options(epochs=12, depth=depth))
    turned = {}
    grid = torch.linspace(0, 1, 201, dtype=torch.float64)
    rows = credit.test.x[:30].double().repeat_interleave(len(grid), 0)

    def steps(network, place):
        swept = rows.clone()
        swept[:, place] = grid.repeat(30)
        return network(swept)[:, 1].view(30, -1).diff(dim=1)

    for place, feature in enumerate(credit.schema.features):
        if feature.kind != "categorical" and (steps(free.network, place) > 0).any():
            turned[feature.name] = "decreasing"
    assert len(turned) > 1
    monotone = directions_of(credit.schema, turned)
    options = Options(epochs=12, depth=depth, monotone=monotone)
    kept = fit_robust(make_method("boosted-stumps", 0.1), task, options).network
    for place in monotone:
        assert (steps(kept, place) <= 0).all()
    assert any((steps(kept, place) < 0).any() for place in monotone)


def test_what_has_no_meaning_is_refused(credit, task):
    for options in (Options(depth=2), Options(monotone={3: 1})):
        with pytest.raises(rafair.InvalidInput, match="use method 'boosted-stumps'"):
            fit_robust(make_method("certified"), task, options)
    for depth in (0, 7, 2.0):
        with pytest.raises(rafair.InvalidInput, match="depth"):
            Options(depth=depth)
    with pytest.raises(rafair.InvalidInput, match="monotone: no column 'wage'; the columns are"):
        directions_of(credit.schema, {"wage": "increasing"})
    nominal = next(f.name for f in credit.schema.features if f.kind == "categorical")
    with pytest.raises(rafair.InvalidInput, match="have no order; make it ordinal"):
        directions_of(credit.schema, {nominal: "increasing"})
    ordered = next(f.name for f in credit.schema.features if f.kind != "categorical")
    with pytest.raises(rafair.InvalidInput, match="'up'; use increasing or decreasing"):
        directions_of(credit.schema, {ordered: "up"})


def test_a_tree_adds_what_its_leaf_says():
    drawn = torch.Generator().manual_seed(1)
    feature = torch.randint(3, (5, 7), generator=drawn)
    cut = torch.rand(5, 7, generator=drawn, dtype=torch.float64)
    value = torch.rand(5, 8, generator=drawn, dtype=torch.float64)
    x = torch.rand(20, 3, generator=drawn, dtype=torch.float64)
    x[0, feature[0, 0]] = cut[0, 0]  # who is at the cut is above it
    expected = []
    for row in x:
        total = 0.0
        for tree in range(5):
            node = 0
            while node < 7:
                node = 2 * node + 1 + int(row[feature[tree, node]] >= cut[tree, node])
            total += float(value[tree, node - 7])
        expected.append(total)
    trees = Trees(feature, cut, value)
    assert trees(x).tolist() == expected
    assert torch.cat([trees(row.unsqueeze(0)) for row in x]).equal(trees(x))


def test_trees_are_kept(trained, credit, tmp_path):
    path = tmp_path / "trees.safetensors"
    path.write_bytes(serialise_model(trained.network, credit.schema, {"accuracy": 0.5}))
    again = rafair.load_model(path, credit.schema)
    x = credit.test.x[:50]
    assert torch.equal(again.scores(x), trained.network(x))
    assert again.kind == "sum of stumps and of trees of depth 2"
    assert again.digest() == rafair.wrap(trained.network, credit.schema).digest()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"feature": torch.full((4, 3), 99)}, "reads a feature that there is not"),
        ({"value": torch.ones(4, 5, dtype=torch.float64)}, "do not fit a sum of stumps"),
        ({"feature": torch.zeros(4, 2, dtype=torch.int64)}, "do not fit a sum of stumps"),
        ({"feature": torch.zeros(2, dtype=torch.int64)}, "do not fit a sum of stumps"),
        ({"cut": torch.full((4, 3), float("nan"))}, "NaN or infinite"),
    ],
)
def test_a_damaged_file_is_refused(credit, tmp_path, change, told):
    none, number = torch.zeros(0, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    whole = {
        "feature": torch.zeros(4, 3, dtype=torch.int64),
        "cut": torch.full((4, 3), 0.5, dtype=torch.float64),
        "value": torch.ones(4, 4, dtype=torch.float64),
    }
    trees = Trees(**{**whole, **change})
    model = Stumps(number, none.long(), none, none.clone(), trees=trees, width=20)
    path = tmp_path / "trees.safetensors"
    path.write_bytes(serialise_model(model, credit.schema, {}))
    with pytest.raises(rafair.InvalidInput, match=told):
        rafair.load_model(path, credit.schema)
