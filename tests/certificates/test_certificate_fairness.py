"""R-IF: proved where one class is constant, broken where somebody in reach is biased."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.certificates import Certificate, certify
from rafair.fairness.decisions import predict

PROVED, BROKEN = 1, -1


def is_fair(problem, points, rows=slice(None)):
    return rafair.judge(problem.model, points, problem.y[rows], problem.counterparts).fair


@given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    epsilon=st.sampled_from([0.02, 0.1, 0.4]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_who_is_not_fair_has_a_witness_that_the_judge_calls_biased(
    make_problem, seed, k, epsilon, dtype
):
    problem = make_problem(k, seed=seed, n=8, epsilon=epsilon, dtype=dtype)
    found = certify(*problem.arguments, claim="fair")
    broken = found.status == BROKEN
    assert broken[~is_fair(problem, problem.x)].all()
    assert torch.equal(found.witness.isnan().any(dim=1), ~broken)
    assert torch.equal(found.witness_counterpart.isnan().any(dim=1), ~broken)
    x, witness, other = problem.x[broken], found.witness[broken], found.witness_counterpart[broken]
    if not len(x):
        return
    assert problem.space.contains(witness, x).all()
    assert not is_fair(problem, witness, broken).any()
    assert (predict(problem.model, witness) != predict(problem.model, other)).all()
    columns = list(problem.counterparts.columns)
    free = [column for column in range(x.shape[1]) if column not in columns]
    assert torch.equal(witness[:, columns], x[:, columns])
    assert torch.equal(other[:, free], witness[:, free])
    on_grid = (other[:, None, columns] == problem.counterparts.grid).all(dim=2)
    assert on_grid.any(dim=1).all()


def test_who_is_fair_but_does_not_stay_so_is_broken_by_somebody_else(make_problem):
    moved = 0
    for seed in range(6):
        problem = make_problem(2, seed=seed, n=20, epsilon=0.2)
        found = certify(*problem.arguments, claim="fair")
        becomes = (found.status == BROKEN) & is_fair(problem, problem.x)
        assert (found.witness[becomes] != problem.x[becomes]).any(dim=1).all()
        moved += int(becomes.sum())
    assert moved >= 10


@pytest.mark.parametrize("influence", [0.05, 1e-4, 0.0])
def test_where_everybody_turns_on_the_way_somebody_turns_first(influence):
    layer = nn.Linear(2, 2, dtype=torch.float64)
    layer.weight.data = torch.tensor([[0.0, 0.0], [1.0, influence]], dtype=torch.float64)
    layer.bias.data = torch.tensor([0.0, -0.5], dtype=torch.float64)
    model = rafair.wrap(nn.Sequential(layer), output="logits")
    x, y = torch.tensor([[0.3, 0.0], [0.7, 1.0]], dtype=torch.float64), torch.tensor([0, 1])
    people = rafair.Counterparts.product([1], [[0.0, 1.0]])
    space = rafair.PerturbationSpace(0.4, [True, False])
    found = certify(model, x, y, people, space, claim="fair")
    if influence == 0:
        assert found.status.tolist() == [PROVED] * 2
        return
    assert found.status.tolist() == [BROKEN] * 2
    assert (found.witness[:, 0] <= 0.5).all()
    assert (found.witness[:, 0] >= 0.5 - influence).all()
    assert torch.equal(found.witness_counterpart[:, 1], 1 - x[:, 1])


@pytest.mark.parametrize("k", [2, 3])
def test_a_network_that_ignores_the_sensitive_columns_is_never_unfair(make_problem, k):
    for seed in range(8):
        problem = make_problem(k, seed=seed, n=10, epsilon=0.2)
        columns = list(problem.counterparts.columns)
        problem.module[0].weight.data[:, columns] = 0.0
        found = certify(*problem.arguments, claim="fair")
        assert found.status.tolist() == [PROVED] * 10
        assert found.nodes.sum() == 0
    problem.module[0].weight.data[0, columns[0]] = 1e-30
    assert certify(*problem.arguments, 1, claim="fair").nodes.sum() > 0


def test_in_the_feasible_setting_the_biased_instance_is_a_possible_person(credit, credit_model):
    x, y = credit.test.x[:25], credit.test.y[:25]
    people = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.1, "feasible")
    found = certify(credit_model, x, y, people, space, 300, claim="fair")
    broken = found.status == BROKEN
    assert broken.sum() >= 5
    witness = found.witness[broken]
    assert space.contains(witness, x[broken]).all()
    assert not rafair.judge(credit_model, witness, y[broken], people).fair.any()


def answered(problem):
    """The problem with labels that are right for most seeds, so that something can be proved."""
    y = predict(problem.model, problem.x)
    y[::4] = problem.y[::4]
    return problem.but(y=y)


def assert_same_verdicts(found, expected):
    assert torch.equal(found.status, expected.status)
    assert torch.equal(found.nodes, expected.nodes)
    torch.testing.assert_close(found.witness, expected.witness, rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("claim", ["accurate_fair", "accurate", "fair"])
def test_a_verdict_does_not_depend_on_company(make_problem, claim):
    problem = answered(make_problem(3, seed=3, n=9, epsilon=0.1))
    whole = certify(*problem.arguments, claim=claim)
    assert len({*whole.status.tolist()}) > 1
    alone = [certify(*problem.rows(slice(row, row + 1)).arguments, claim=claim) for row in range(9)]
    assert_same_verdicts(Certificate.join(alone), whole)


def test_a_verdict_does_not_depend_on_the_number_of_threads(make_problem):
    problem = answered(make_problem(3, seed=3, n=12, epsilon=0.1))
    one = certify(*problem.arguments, 20)
    try:
        torch.set_num_threads(2)
        two = certify(*problem.arguments, 20)
    finally:
        torch.set_num_threads(1)
    assert_same_verdicts(two, one)


def test_where_all_turn_between_two_possible_values_other_changes_are_tried():
    features = (
        rafair.Feature("income", "integer", (0, 10)),
        rafair.Feature("jobs", "integer", (0, 1), epsilon=1.0),
        rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
    )
    schema = rafair.Schema(features, "approved", ("no", "yes"))
    layer = nn.Linear(3, 2, dtype=torch.float64)
    layer.weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.06, 0.05]], dtype=torch.float64)
    layer.bias.data = torch.tensor([0.0, -0.495], dtype=torch.float64)
    model = rafair.wrap(nn.Sequential(layer), output="logits")
    x, y = torch.tensor([[0.3, 0.0, 0.0]], dtype=torch.float64), torch.tensor([0])
    people = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.4)
    found = certify(model, x, y, people, space, claim="fair")
    # With one job, an income of 4 is too little for "f" alone; without a job, nobody turns alone.
    assert found.status.tolist() == [BROKEN]
    assert found.witness.tolist() == [[pytest.approx(0.4), 1.0, 0.0]]
    assert not rafair.judge(model, found.witness, y, people).fair.item()
