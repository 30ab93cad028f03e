import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rafair
import reference
from rafair.fairness import CELLS, Lipschitz, counterexamples, decide
from rafair.fairness.decisions import counterpart_scores, predict

EVERYONE = rafair.Counterparts.product([1], [[0.0, 0.5, 1.0]])


class Table(nn.Module):
    """Decides 1 where column 0 times (column 1 - threshold) is positive."""

    def forward(self, x):
        score = x[:, 0] * (x[:, 1] - 0.75)
        return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.fixture(scope="module")
def table():
    return rafair.wrap(Table(), output="logits")


def judged(problem, **options):
    return rafair.judge(problem.model, problem.x, problem.y, problem.counterparts, **options)


def test_the_four_cells_of_table_1(table):
    # With column 0 at zero everyone gets class 0; else those above .75 alone get class 1.
    x = torch.tensor([[0.0, 0.5], [1.0, 0.5], [0.0, 0.5], [1.0, 1.0]])
    verdict = rafair.judge(table, x, torch.tensor([0, 0, 1, 0]), EVERYONE)
    assert verdict.accurate.tolist() == [True, True, False, False]
    assert verdict.fair.tolist() == [True, False, True, False]
    assert [CELLS[cell] for cell in verdict.cells] == ["TF", "TB", "FF", "FB"]
    assert verdict.cells.dtype == torch.int64
    assert len(verdict) == 4


def test_a_person_off_the_grid_is_judged_too(table):
    x = torch.tensor([[1.0, 0.76], [-1.0, 0.76]])
    nobody_above = rafair.Counterparts.product([1], [[0.0, 0.5]])
    verdict = rafair.judge(table, x, torch.tensor([1, 1]), nobody_above)
    assert [CELLS[cell] for cell in verdict.cells] == ["TB", "FB"]
    others_only = rafair.judge(table, x, torch.tensor([0, 1]), nobody_above)
    assert [CELLS[cell] for cell in others_only.cells] == ["FB", "FB"]


@pytest.mark.parametrize("K", [0.0, 0.4, 1.3, 3.1, 9.7])
@pytest.mark.parametrize("D", ["discrete", "absolute"])
@pytest.mark.parametrize("d", ["l1", "l2", "linf"])
@pytest.mark.parametrize("k", [2, 3])
def test_it_is_definition_3_1(make_problem, K, D, d, k):
    problem = make_problem(k, seed=k, n=20)
    verdict = judged(problem, K=K, D=D, d=d)
    for i, (row, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        accurate, fair, accurately_fair = reference.judge(
            problem.module, row, label, problem.counterparts.columns, problem.grid, K, D, d
        )
        assert bool(verdict.accurate[i]) == accurate
        assert bool(verdict.fair[i]) == fair
        assert CELLS[verdict.cells[i]] == ("T" if accurate else "F") + ("F" if fair else "B")
        assert (CELLS[verdict.cells[i]] == "TF") == accurately_fair


@given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    K=st.sampled_from([0.0, 0.7, 2.3, 5.9]),
    D=st.sampled_from(["discrete", "absolute"]),
    d=st.sampled_from(["l1", "l2", "linf"]),
)
def test_theorem_3_2(make_problem, seed, k, K, D, d):
    """Robust accurate fairness is accuracy and individual fairness together."""
    problem = make_problem(k, seed=seed, n=4)
    verdict = judged(problem, K=K, D=D, d=d)
    by_definition = [
        reference.judge(
            problem.module, row, label, problem.counterparts.columns, problem.grid, K, D, d
        )[2]
        for row, label in zip(problem.x, problem.y.tolist(), strict=True)
    ]
    assert (verdict.accurate & verdict.fair).tolist() == by_definition
    assert (verdict.cells == 0).tolist() == by_definition


def test_a_larger_constant_never_makes_anyone_less_fair(problem):
    fair = [judged(problem, K=K).fair for K in (0.0, 0.5, 1.0, 2.0, 100.0)]
    for less, more in itertools.pairwise(fair):
        assert (less <= more).all()


def test_distances_can_be_functions(problem):
    named = judged(problem, K=1.3, D="absolute", d="linf")
    own = judged(
        problem,
        K=1.3,
        D=lambda a, b: (a - b).abs().double(),
        d=lambda v, w: (v - w).abs().amax(dim=-1),
    )
    assert torch.equal(own.cells, named.cells)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_verdict_depends_neither_on_the_batch_size_nor_on_the_company(make_problem, dtype):
    problem = make_problem(3, n=40, dtype=dtype)
    expected = judged(problem, K=0.9).cells
    for size in (1, 7, 64):
        assert torch.equal(judged(problem, K=0.9, batch_size=size).cells, expected)
    for i in (0, 13, 39):
        assert torch.equal(judged(problem.rows([i]), K=0.9).cells, expected[[i]])


def test_decisions_and_scores_equal_the_modules(problem):
    own, others = decide(problem.model, problem.x, problem.counterparts)
    people = problem.counterparts.expand(problem.x)
    scores = counterpart_scores(problem.model, problem.x, problem.counterparts)
    with torch.no_grad():
        torch.testing.assert_close(scores, problem.module(people.flatten(0, 1)).view_as(scores))
        assert torch.equal(own, problem.module(problem.x).argmax(dim=1))
    assert torch.equal(others, scores.argmax(dim=2))
    assert torch.equal(predict(problem.model, problem.x, 5), own)


def test_equal_scores_give_the_lowest_class(table):
    assert predict(table, torch.tensor([[0.0, 0.3]])).tolist() == [0]


def test_the_instances_are_not_mutated(problem):
    x = problem.x.clone()
    judged(problem, K=1.0)
    assert torch.equal(problem.x, x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"K": -0.1}, "K must be finite and not negative, not -0.1"),
        ({"K": float("nan")}, "K must be finite"),
        ({"K": float("inf")}, "K must be finite"),
        ({"D": "hamming"}, "unknown D 'hamming'; use one of discrete, absolute"),
        ({"d": "l3"}, "unknown d 'l3'; use one of l1, l2, linf"),
        ({"batch_size": -1}, "batch_size must be"),
    ],
)
def test_options_without_meaning_are_refused(problem, options, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        judged(problem, **options)


def test_people_without_meaning_are_refused(problem):
    x = problem.x.clone()
    x[2, 5] = float("inf")
    with pytest.raises(rafair.InvalidInput, match="x, row 2, column 5: inf is not finite"):
        judged(problem.but(x=x))
    with pytest.raises(rafair.InvalidInput, match="labels outside"):
        judged(problem.but(y=problem.y + 5))


@pytest.mark.parametrize("claim", ["accurate_fair", "accurate", "fair"])
@pytest.mark.parametrize("K", [0.0, 1.3])
def test_counterexamples_are_what_the_verdict_breaks(make_problem, claim, K):
    problem = make_problem(3, seed=5, n=40)
    asked = (problem.model, problem.x, problem.y, problem.counterparts)
    found = counterexamples(*asked, claim, Lipschitz(K))
    expected = judged(problem, K=K).breaks(claim)
    assert torch.equal(found, expected)
    assert found.any()
    assert not found.all()


class Remembering(Table):
    """Keeps all rows that it is asked about."""

    def __init__(self):
        super().__init__()
        self.asked = set()

    def forward(self, x):
        self.asked.update(map(tuple, x.tolist()))
        return super().forward(x)


def test_nobody_asks_about_the_counterparts_of_whom_their_own_class_settles():
    x, y = torch.tensor([[0.5, 0.25], [0.75, 0.25]]), torch.tensor([0, 1])
    module = Remembering()
    model = rafair.wrap(module, output="logits")
    assert counterexamples(model, x, y, EVERYONE, "accurate").tolist() == [False, True]
    assert module.asked == {(0.5, 0.25), (0.75, 0.25)}
    assert counterexamples(model, x, y, EVERYONE, "accurate_fair").tolist() == [True, True]
    assert {row for row in module.asked if row[0] == 0.75} == {(0.75, 0.25)}
    assert (0.5, 1.0) in module.asked
