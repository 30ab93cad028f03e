import pytest
import torch

from rafair.problem import forward_rows
from rafair.problem.batching import MIN_ROWS, padded, rows_per_call


def test_small_batches_are_padded_with_their_last_row():
    rows = torch.arange(6.0).view(3, 2)
    full = padded(rows)
    assert len(full) == MIN_ROWS
    assert torch.equal(full[:3], rows)
    assert (full[3:] == rows[-1]).all()


def test_a_large_batch_is_left_alone():
    rows = torch.rand(MIN_ROWS, 2)
    assert padded(rows) is rows


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_scores_of_a_row_do_not_depend_on_its_company(make_problem, dtype):
    problem = make_problem(3, n=200, dtype=dtype)
    together = forward_rows(problem.model, problem.x)
    assert together.dtype == dtype
    assert not together.requires_grad
    for n in (1, 2, 5, 17, 63, 64, 65, 130):
        assert torch.equal(forward_rows(problem.model, problem.x[:n]), together[:n])


def test_auto_is_a_positive_number_and_a_number_is_itself():
    assert rows_per_call("auto", torch.device("cpu")) >= MIN_ROWS
    assert rows_per_call(7, torch.device("cpu")) == 7
