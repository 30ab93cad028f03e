import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rafair.fairness import CELLS, Verdict, first_in_worst_cell

TF, TB, FF, FB = range(4)
PRECEDENCE = (TB, FF, FB, TF)
KEYS = ["acc", "if", "af", "tfr", "tbr", "ffr", "fbr"]
cell_lists = st.lists(st.sampled_from(range(4)), min_size=1, max_size=30)


def verdict_of(cells):
    cells = torch.tensor(cells)
    return Verdict.of(cells < 2, cells % 2 == 0)


def test_a_verdict_places_each_pair_of_truths_in_its_cell():
    accurate = torch.tensor([True, True, False, False])
    fair = torch.tensor([True, False, True, False])
    assert Verdict.of(accurate, fair).cells.tolist() == [TF, TB, FF, FB]
    assert CELLS == ("TF", "TB", "FF", "FB")


@given(cells=cell_lists)
def test_rates_are_shares_and_keep_the_papers_identities(cells):
    rates = verdict_of(cells).rates()
    assert list(rates) == [*KEYS, "ci"]
    for cell, key in enumerate(("tfr", "tbr", "ffr", "fbr")):
        assert rates[key] == cells.count(cell) / len(cells)
    assert rates["tfr"] + rates["tbr"] + rates["ffr"] + rates["fbr"] == pytest.approx(1)
    assert rates["acc"] == pytest.approx(rates["tfr"] + rates["tbr"])
    assert rates["if"] == pytest.approx(rates["tfr"] + rates["ffr"])
    assert rates["af"] == rates["tfr"]


@given(cells=cell_lists)
def test_every_rate_lies_in_its_interval(cells):
    rates = verdict_of(cells).rates()
    assert list(rates["ci"]) == KEYS
    for key in KEYS:
        low, high = rates["ci"][key]
        assert 0 <= low <= rates[key] <= high <= 1
        assert low < high


def test_robust_rates_have_robust_names():
    robust = verdict_of([TF, FB, TB]).rates(robust=True)
    plain = verdict_of([TF, FB, TB]).rates()
    assert list(robust) == ["r_acc", "r_if", "r_af", "tfr", "tbr", "ffr", "fbr", "ci"]
    assert [robust[f"r_{key}"] for key in KEYS[:3]] == [plain[key] for key in KEYS[:3]]
    assert robust["ci"]["r_if"] == plain["ci"]["if"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_worst_of_several_instances_follows_the_precedence(count):
    combinations = list(itertools.product(range(4), repeat=count))
    instances = [verdict_of(list(column)) for column in zip(*combinations, strict=True)]
    worst = Verdict.worst(instances)
    for seed, cells in enumerate(combinations):
        assert worst.cells[seed] == next(cell for cell in PRECEDENCE if cell in cells)
        assert worst.accurate[seed] == all(cell in (TF, TB) for cell in cells)
        assert worst.fair[seed] == all(cell in (TF, FF) for cell in cells)


@given(data=st.data(), n=st.integers(1, 20), count=st.integers(1, 4))
def test_the_worst_rates_sum_to_one_and_af_is_at_most_that_of_any_instance(data, n, count):
    row = st.lists(st.sampled_from(range(4)), min_size=n, max_size=n)
    instances = [verdict_of(data.draw(row)) for _ in range(count)]
    worst = Verdict.worst(instances).rates(robust=True)
    assert worst["tfr"] + worst["tbr"] + worst["ffr"] + worst["fbr"] == pytest.approx(1)
    for key in ("r_acc", "r_if", "r_af"):
        assert all(worst[key] <= each.rates(robust=True)[key] for each in instances)
    assert worst["r_af"] == worst["tfr"]


def test_joining_verdicts_keeps_their_order():
    joined = Verdict.concat([verdict_of([TF, FB]), verdict_of([TB])])
    assert joined.cells.tolist() == [TF, FB, TB]
    assert joined.accurate.tolist() == [True, False, True]
    assert joined.fair.tolist() == [True, False, False]


def test_the_first_instance_in_the_worst_cell_is_picked():
    cells = torch.tensor([[TF, FB, FF, FB, TF], [FF, FB, TB, FF, TF], [FF, TF, TB, TB, TF]])
    index, cell = first_in_worst_cell(cells)
    assert cell.tolist() == [FF, FB, TB, TB, TF]
    assert index.tolist() == [1, 0, 1, 2, 0]
