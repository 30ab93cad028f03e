"""Certificates of guards against points of Δ, and against each other."""

from dataclasses import replace

import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

import rafair
from rafair.bounds.network import layered_network
from rafair.certificates import certify_cells, why_uncertified
from rafair.certificates.averages import Average
from rafair.fairness import CELLS, judge
from rafair.fairness.decisions import predict
from rafair.guarding import RULES, GuardedClassifier, Neighbourhood

TF, TB, FF, FB = range(len(CELLS))


def somewhere(problem, count=400, seed=0):
    """Random points of Δ and its corners around each person, (count, n, d)."""
    low, high = problem.space.bounds(problem.x)
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, *low.shape, generator=generator, dtype=low.dtype)
    share[: count // 2] = share[: count // 2].round()
    return low + share * (high - low)


@pytest.fixture(params=sorted(RULES))
def guard(request, problem):
    return GuardedClassifier(problem.model, problem.counterparts, request.param)


def test_proofs_hold_at_every_point_and_witnesses_are_wrong(guard, problem):
    found = rafair.certify(guard, *problem.arguments[1:], claim="accurate")
    right = torch.stack([predict(guard, points) == problem.y for points in somewhere(problem)])
    assert right[:, found.status == 1].all()
    broken = found.status == -1
    assert broken.any()
    assert (found.status == 1).any() or guard.rule == "own-or-abstain"
    witness = found.witness[broken]
    assert (predict(guard, witness) != problem.y[broken]).all()
    assert problem.space.contains(witness, problem.x[broken]).all()
    assert (found.status[~right.all(dim=0)] != 1).all()


def test_the_mean_is_decided_for_everybody(problem):
    guard = GuardedClassifier(problem.model, problem.counterparts, "mean")
    found = rafair.certify(guard, *problem.arguments[1:])
    assert (found.status != 0).all()


def test_the_mean_over_one_attribute_is_decided_for_everybody(problem):
    alone = rafair.Counterparts.product((1,), [[0.0, 0.45, 1.0]])
    guard = GuardedClassifier(problem.model, alone)
    found = rafair.certify(guard, problem.x, problem.y, alone, problem.space)
    assert (found.status != 0).all()
    assert (found.status == 1).any()


def test_fairness_is_proved_of_everybody_by_construction(guard, problem):
    fair = rafair.certify(guard, *problem.arguments[1:], claim="fair")
    assert (fair.status == 1).all()
    both, alone = (
        rafair.certify(guard, *problem.arguments[1:], claim=claim)
        for claim in ("accurate_fair", "accurate")
    )
    assert both.status.equal(alone.status)


def test_nothing_is_proved_over_people_whom_the_guard_does_not_join(problem):
    apart = rafair.Counterparts.product((1, 4), [[0.0, 0.45, 1.0], [0.0, 1.0]], within=[0.1, 0.1])
    guard = GuardedClassifier(problem.model, apart)
    for claim in ("fair", "accurate_fair"):
        found = rafair.certify(guard, *problem.arguments[1:], claim=claim)
        assert not (found.status == 1).any()
    own = (guard, problem.x, problem.y, apart, problem.space)
    assert (rafair.certify(*own, claim="fair").status == 1).all()


def test_cells_agree_with_points_and_claims(guard, problem):
    found = certify_cells(guard, *problem.arguments[1:], max_nodes=2_000)
    assert (found.status[:, [TB, FB]] == -1).all()
    for cell in (TF, FF):
        reached = found.status[:, cell] == 1
        if not reached.any():
            continue
        points, y = found.witness[reached, cell], problem.y[reached]
        assert (judge(guard, points, y, problem.counterparts).cells == cell).all()
    right = torch.stack([predict(guard, points) == problem.y for points in somewhere(problem)])
    assert not right[:, found.status[:, TF] == -1].any()
    assert right[:, found.status[:, FF] == -1].all()
    if guard.rule == "mean":
        assert (found.status[:, TF] != 0).all()


def test_a_mean_is_bounded_from_below(problem):
    network, people = layered_network(problem.model), problem.counterparts
    average = Average(network, people.columns, people.grid)
    low, high = problem.space.hull(problem.x)
    rivals = torch.arange(len(network.biases[-1]) - 1)
    sides = problem.y, rivals + (rivals >= problem.y.unsqueeze(1)).long()
    points, guard = somewhere(problem), GuardedClassifier(problem.model, people)
    scores = torch.stack([guard.scores(some) for some in points])
    own = scores.gather(2, problem.y.expand(len(points), -1).unsqueeze(2))
    margins = own - scores.scatter(2, problem.y.expand(len(points), -1).unsqueeze(2), -torch.inf)
    least = margins.masked_fill(margins.isinf(), torch.inf).amin(dim=(0, 2))
    nothing, everything = torch.full_like(least, torch.inf), torch.full_like(least, -torch.inf)
    coarse = average.bound(low, high, sides, nothing, everything)
    fine = average.bound(low, high, sides, everything, nothing)
    for bound in (coarse, fine):
        assert (bound.lower <= least + 1e-9).all()
        lines = bound.slope[:, list(people.columns)]
        assert not lines.any()
    assert fine.gain.isfinite().all()
    assert (least - fine.lower).mean() <= (least - coarse.lower).mean() + 1e-9


def test_a_guard_of_trees_is_proved_where_the_trees_are(own_data):
    train, labels = own_data.train.x.numpy(), own_data.train.y.numpy()
    tree = rafair.wrap(
        DecisionTreeClassifier(max_depth=3, random_state=0).fit(train, labels),
        own_data.schema,
        inputs="unit",
    )
    people = rafair.Counterparts.of(own_data.schema)
    space = rafair.PerturbationSpace.of(own_data.schema, epsilon=0.1)
    asked = own_data.test.x, own_data.test.y, people, space
    bare = rafair.certify(tree, *asked)
    guard = GuardedClassifier(tree, people, "own-or-abstain")
    assert (rafair.certify(guard, *asked).status == 1).equal(bare.status == 1)
    most = rafair.certify(replace(guard, rule="majority"), *asked)
    assert (most.status[bare.status == 1] == 1).all()
    mean = rafair.certify(replace(guard, rule="mean"), *asked)
    assert (mean.status == 1).equal(bare.status == 1)
    assert (mean.status == 1).any()


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("within", [None, (0.3, 0.3)])
def test_relations_and_distances_leave_proofs_that_hold_for_everybody(make_network, rule, within):
    """By brute force: everyone of whom R-AF is proved, at every possible point of the lattice."""
    module = make_network(4, 2, seed=3)
    model = rafair.wrap(module, output="logits")
    schema = rafair.Schema(
        (
            rafair.Feature("a", "integer", (0, 10)),
            rafair.Feature("b", "integer", (0, 10)),
            rafair.Feature("s", "integer", (0, 4), sensitive=True, observed=(0, 1, 2, 4)),
            rafair.Feature("t", "integer", (0, 1), sensitive=True, observed=(0, 1)),
        ),
        "y",
        (0, 1),
        ("a >= s", "b < 8 or t == 1"),
    )
    people = rafair.Counterparts.of(schema)
    if within:
        people = replace(people, within=within)
    space = rafair.PerturbationSpace.of(schema, 0.1, "feasible")
    grid = torch.cartesian_prod(*(torch.linspace(0, 1, n, dtype=torch.float64) for n in (11, 11)))
    x = torch.cat([torch.cat([grid, row.expand(len(grid), 2)], dim=1) for row in people.grid])
    x = x[schema.possible(x)][::7]
    guard = GuardedClassifier(model, people, rule)
    y = predict(guard, x).clamp_max(1)
    found = rafair.certify(guard, x, y, people, space)
    proved = found.status == 1
    assert 5 < int(proved.sum()) < len(x)
    shifts = torch.cartesian_prod(*[torch.tensor([-0.1, 0.0, 0.1], dtype=torch.float64)] * 2)
    for shift in shifts:
        moved = x.clone()
        moved[:, :2] += shift
        inside = space.contains(moved, x)
        verdict = judge(guard, moved.clamp(0, 1), y, people)
        assert (verdict.cells == TF)[proved & inside].all()
    broken = (found.status == -1).nonzero()[:, 0]
    if len(broken):
        assert space.contains(found.witness[broken], x[broken]).all()
        assert (judge(guard, found.witness[broken], y[broken], people).cells != TF).all()


def test_points_near_v_have_no_certificates(problem):
    near = Neighbourhood(problem.space)
    guard = GuardedClassifier(problem.model, problem.counterparts, "mean", near)
    assert "near v" in why_uncertified(guard)
