"""Equal rows are computed once, and nobody can tell."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.problem import Counterparts, counterpart_gradient_norms, gradients, make_loss
from rafair.problem import distinct as module
from rafair.problem.distinct import distinct

VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1 / 3, 1e-30, 3e20])


@given(st.data(), st.sampled_from([torch.float32, torch.float64]))
def test_every_row_is_equal_to_the_one_that_stands_for_it(data, dtype):
    d = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(VALUES, min_size=d, max_size=d), min_size=1, max_size=12))
    rows = torch.tensor(rows, dtype=dtype)
    first, kind = distinct(rows)
    assert torch.equal(rows[first[kind]], rows)
    assert len(first) == len({tuple(row) for row in rows.tolist()})


def test_one_hash_for_all_rows_merges_none(monkeypatch):
    monkeypatch.setattr(module, "_hashed", lambda rows: torch.zeros(len(rows)).long())
    first, kind = distinct(torch.eye(3))
    assert first.tolist() == kind.tolist() == [0, 1, 2]


def test_short_numbers_do_not_share_their_hashes():
    """All but the upper bits of 0, 1/4, 1/2, … are zero; the hash must not lose those."""
    axis = torch.arange(8) / 8
    rows = torch.cartesian_prod(axis, axis, axis, axis)
    assert len(torch.unique(module._hashed(rows))) == len(rows)


@pytest.fixture
def twins():
    """Two pairs who differ in sensitive columns alone, one in the label, and one by himself."""
    x = torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[1], x[3], x[4] = x[0], x[2], x[2]
    x[1, 1], x[3, 1] = 0.9, 0.1
    return x, torch.tensor([0, 0, 1, 1, 0, 1])


def test_twins_are_differentiated_once_and_get_the_same_norms(twins, monkeypatch):
    x, y = twins
    torch.manual_seed(0)
    layers = (torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    model = rafair.wrap(torch.nn.Sequential(*layers), output="logits")
    people = Counterparts.product([1], [[0.0, 0.5, 1.0]])
    alone = [
        counterpart_gradient_norms(model, x[at : at + 1], y[at : at + 1], people, make_loss("mse"))
        for at in range(len(x))
    ]
    seen, chunk = [], gradients._gradient_chunk

    def counting(model, rows, y, loss):
        seen.append(len(rows))
        return chunk(model, rows, y, loss)

    monkeypatch.setattr(gradients, "_gradient_chunk", counting)
    together = counterpart_gradient_norms(model, x, y, people, make_loss("mse"))
    assert torch.equal(together, torch.cat(alone))
    assert seen == [4 * len(people)]
