"""Verdicts against brute force, attacks and the judge."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rafair
from planar import cells_on_a_grid
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.attacks.registry import attack_classes, make_attack, variants_of
from rafair.bounds.network import layered_network
from rafair.certificates import certify, why_uncertified

PROVED, BROKEN, UNDECIDED = 1, -1, 0
VARIANTS = [name for attack in attack_classes().values() for name in attack.variants]


def answered(problem):
    """The problem with labels that are right for most seeds, so that something can be proved."""
    y = problem.model.scores(problem.x).argmax(dim=1)
    y[::4] = problem.y[::4]
    return problem.but(y=y)


def points_of(problem, rows, n=60, seed=0):
    """Corners and random points of Δ around some seeds, (n, rows, d)."""
    generator = torch.Generator().manual_seed(seed)
    low, high = problem.space.bounds(problem.x[rows])
    share = torch.rand(n, *low.shape, generator=generator, dtype=low.dtype)
    share[::2] = share[::2].round()
    return low + share * (high - low)


def cells(problem, points, rows):
    return rafair.judge(problem.model, points, problem.y[rows], problem.counterparts).cells


@given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    epsilon=st.sampled_from([0.01, 0.1, 0.4]),
    sparse=st.booleans(),
)
def test_random_networks_are_decided_and_no_verdict_is_contradicted(
    make_problem, seed, k, epsilon, sparse
):
    problem = answered(make_problem(k, seed=seed, n=8, epsilon=epsilon, sparse=sparse))
    found = certify(*problem.arguments)
    assert (found.status != UNDECIDED).all()
    proved = (found.status == PROVED).nonzero()[:, 0]
    broken = (found.status == BROKEN).nonzero()[:, 0]
    if len(proved):
        points = points_of(problem, proved)
        assert (cells(problem, points.flatten(0, 1), proved.repeat(len(points))) == 0).all()
    if len(broken):
        assert (cells(problem, found.witness[broken], broken) != 0).all()


def test_two_features_equal_brute_force():
    generator = torch.Generator().manual_seed(3)
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
    model = rafair.wrap(module.double(), output="logits")
    people = rafair.Counterparts.product([2], [[0.0, 0.3, 1.0]])
    x = torch.rand(60, 3, generator=generator, dtype=torch.float64)
    x[:, 2] = 0.3
    y = model.scores(x).argmax(dim=1)
    space = rafair.PerturbationSpace(0.08, [True, True, False])
    found = certify(model, x, y, people, space)
    right = ~cells_on_a_grid(model, x, y, people, space, points=41)[:, 1:].any(dim=1)
    assert 5 < int(right.sum()) < 55
    assert torch.equal(found.status == PROVED, right)


@pytest.fixture(scope="module")
def proved(credit, credit_model):
    """A problem of which everybody is proved to be right and fair."""
    people = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.02)
    x, y = credit.test.x[:40], credit.test.y[:40]
    found = certify(credit_model, x, y, people, space).status == PROVED
    assert found.any()
    return credit_model, x[found], y[found], people, space


@pytest.mark.parametrize("name", VARIANTS)
def test_no_attack_breaks_what_is_proved(proved, name):
    model, _, y, people, _ = proved
    few = {} if variants_of(name)[0].gradients else {"queries": 500}
    points = make_attack(name, **few).run(*proved).trajectory.points
    judged = rafair.judge(model, points.flatten(0, 1), y.repeat(len(points)), people)
    assert (judged.cells == 0).all()


def test_a_witness_is_a_person_in_reach_and_its_counterpart_is_decided_wrongly(problem):
    problem = answered(problem)
    found = certify(*problem.arguments)
    broken = found.status == BROKEN
    assert broken.any()
    columns = list(problem.counterparts.columns)
    witness, other = found.witness[broken], found.witness_counterpart[broken]
    assert problem.space.contains(witness, problem.x[broken]).all()
    assert torch.equal(witness[:, columns], problem.x[broken][:, columns])
    free = [column for column in range(problem.x.shape[1]) if column not in columns]
    assert torch.equal(other[:, free], witness[:, free])
    known = problem.counterparts.grid
    own = problem.x[broken][:, columns]
    for row, person in enumerate(other[:, columns]):
        assert any(torch.equal(person, value) for value in (*known, own[row]))
    assert (problem.model.scores(other).argmax(dim=1) != problem.y[broken]).all()
    assert torch.isnan(found.witness[~broken]).all()
    assert torch.isnan(found.witness_counterpart[~broken]).all()


def test_the_company_of_a_row_does_not_matter(problem):
    problem = answered(problem)
    found = certify(*problem.arguments)
    for rows in (slice(3, 4), slice(4, 9)):
        alone = certify(*problem.rows(rows).arguments)
        assert torch.equal(alone.status, found.status[rows])
        assert torch.equal(alone.nodes, found.nodes[rows])


def test_a_sample_of_counterparts_is_no_more_than_itself(make_problem):
    problem = answered(make_problem(2, seed=5, n=10, epsilon=0.05))
    some = rafair.Counterparts(problem.counterparts.columns, problem.counterparts.grid[[0, 3]])
    few = certify(*problem.but(counterparts=some).arguments)
    all_ = certify(*problem.arguments)
    assert (few.status >= all_.status).all()
    assert (few.status > all_.status).any()
    for place, witness in enumerate(few.witness):
        if few.status[place] == BROKEN:
            row = slice(place, place + 1)
            verdict = rafair.judge(problem.model, witness[None], problem.y[row], some)
            assert verdict.cells != 0


def test_accuracy_alone_leaves_the_counterparts_out(make_problem):
    problem = answered(make_problem(2, seed=7, n=12, epsilon=0.05))
    both = certify(*problem.arguments)
    alone = certify(*problem.arguments, claim="accurate")
    assert (alone.status >= both.status).all()
    assert (alone.status > both.status).any()
    broken = alone.status == BROKEN
    assert torch.equal(alone.witness[broken], alone.witness_counterpart[broken])
    wrong = problem.model.scores(alone.witness[broken]).argmax(dim=1) != problem.y[broken]
    assert wrong.all()


def test_fairness_alone_needs_no_label(make_problem):
    problem = make_problem(2, seed=9, n=16, epsilon=0.1)
    found = certify(*problem.arguments, claim="fair")
    other = certify(*problem.but(y=1 - problem.y).arguments, claim="fair")
    assert torch.equal(found.status, other.status)
    assert {PROVED, BROKEN} <= set(found.status.tolist())
    points = points_of(problem, found.status == PROVED)
    anybody = problem.y[found.status == PROVED].repeat(len(points))
    everywhere = points.flatten(0, 1)
    assert rafair.judge(problem.model, everywhere, anybody, problem.counterparts).fair.all()
    broken = found.status == BROKEN
    witness, y = found.witness[broken], problem.y[broken]
    assert not rafair.judge(problem.model, witness, y, problem.counterparts).fair.any()


def test_a_small_budget_leaves_something_undecided_but_contradicts_nothing(make_problem):
    problem = answered(make_problem(3, seed=3, n=30, epsilon=0.02))
    whole = certify(*problem.arguments)
    small = certify(*problem.arguments, max_nodes=1)
    assert (small.nodes == 1).all()
    assert {*small.status.tolist()} == {PROVED, BROKEN, UNDECIDED}
    assert torch.equal(small.status == BROKEN, whole.status == BROKEN)  # by the attack
    decided = small.status != UNDECIDED
    assert torch.equal(small.status[decided], whole.status[decided])


def test_in_the_feasible_setting_witnesses_are_possible_people(credit, credit_model):
    x, y = credit.test.x[:25], credit.test.y[:25]
    people = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.1, "feasible")
    found = certify(credit_model, x, y, people, space, max_nodes=2000)
    broken = found.status == BROKEN
    assert broken.any()
    again = credit.schema.encode(credit.schema.decode(found.witness[broken]))
    torch.testing.assert_close(again, found.witness[broken], rtol=0, atol=1e-9)
    assert space.contains(found.witness[broken], x[broken]).all()


def test_one_logit_and_a_linear_model(make_problem):
    problem = make_problem(2, seed=1, n=10, epsilon=0.05)
    for layers in ([nn.Linear(6, 1)], [nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)]):
        model = rafair.wrap(nn.Sequential(*layers).double(), output="logits")
        y = model.scores(problem.x).argmax(dim=1)
        found = certify(model, problem.x, y, problem.counterparts, problem.space)
        assert (found.status != UNDECIDED).all()
        network = layered_network(model)
        torch.testing.assert_close(network.scores(problem.x), model.scores(problem.x))


def test_other_networks_are_refused(make_problem):
    problem = make_problem(2, n=3)
    layers = [nn.Linear(6, 4), nn.Softshrink(0.01), nn.Linear(4, 2)]
    model = rafair.wrap(nn.Sequential(*layers).double(), output="logits")
    y = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(rafair.InvalidInput, match="this network has Softshrink"):
        certify(model, problem.x, y, problem.counterparts, problem.space)


def test_claims_and_budgets_without_meaning_are_refused(problem):
    with pytest.raises(rafair.InvalidInput, match="unknown claim 'kind'"):
        certify(*problem.arguments, claim="kind")
    with pytest.raises(rafair.InvalidInput, match="max_nodes must be a positive whole number"):
        certify(*problem.arguments, max_nodes=0)


@pytest.mark.parametrize(("k", "seed"), [(4, 61), (4, 97), (3, 296), (4, 297)])
def test_a_part_of_a_box_is_proved_against_every_rival(make_problem, k, seed):
    """A bound that is inherited from the whole box speaks of one rival only."""
    problem = make_problem(k, seed=seed, n=12, epsilon=0.1)
    problem = problem.but(y=problem.model.scores(problem.x).argmax(dim=1))
    attacked = MultiAPGD(restarts=3).run(*problem.arguments).x_adv
    broken = cells(problem, attacked, slice(None)) != 0
    assert broken.any()
    assert (certify(*problem.arguments).status[broken] == BROKEN).all()


def test_a_wrong_person_off_the_lattice_is_never_proved():
    layer = nn.Linear(2, 1, dtype=torch.float64)
    layer.weight.data, layer.bias.data = (
        torch.tensor([[0.0, 10.0]]).double(),
        torch.tensor([-4.0]).double(),
    )
    model = rafair.wrap(nn.Sequential(layer), output="logits")
    people = rafair.Counterparts.product([0], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.05, [False, True], lattice=[0.0, 0.25])
    x, y = torch.tensor([[0.0, 0.33]], dtype=torch.float64), torch.tensor([1])
    assert not rafair.judge(model, x, y, people).accurate.item()
    assert certify(model, x, y, people, space).status.tolist() == [-1]


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_nothing_is_proved_where_torch_rounds_products_to_less(problem, precision):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        why = why_uncertified(problem.model)
    finally:
        torch.set_float32_matmul_precision(before)
    assert (why is not None) == (problem.model.dtype == torch.float32)
    assert why is None or f"({precision!r})" in why
    assert why_uncertified(problem.model) is None


def test_a_shipped_network_is_not_proved_either_then(credit_model, monkeypatch):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    assert credit_model.dtype == torch.float32
    assert "set_float32_matmul_precision('highest')" in why_uncertified(credit_model)
