import pytest
import torch

from rafair.problem import forward_rows
from rafair.problem.batching import MIN_ROWS, ROW_BLOCK, padded, rows_per_call


def test_small_batches_are_padded_with_their_last_row():
    rows = torch.arange(6.0).view(3, 2)
    full = padded(rows)
    assert len(full) == MIN_ROWS
    assert torch.equal(full[:3], rows)
    assert (full[3:] == rows[-1]).all()


def test_a_large_batch_of_whole_blocks_is_left_alone():
    for n in (MIN_ROWS, MIN_ROWS + ROW_BLOCK):
        rows = torch.rand(n, 2)
        assert padded(rows) is rows


@pytest.mark.parametrize("n", [MIN_ROWS + 1, 5 * MIN_ROWS - 1])
def test_the_last_block_of_a_large_batch_is_filled(n):
    rows = torch.rand(n, 2, dtype=torch.float64)
    full = padded(rows)
    assert len(full) % ROW_BLOCK == 0
    assert len(full) - n < ROW_BLOCK
    assert torch.equal(full[:n], rows)
    assert (full[n:] == rows[-1]).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_scores_of_a_row_do_not_depend_on_its_company(make_problem, dtype):
    problem = make_problem(3, n=200, dtype=dtype)
    together = forward_rows(problem.model, problem.x)
    assert together.dtype == dtype
    assert not together.requires_grad
    for n in (1, 2, 5, 17, 63, 64, 65, 130):
        assert torch.equal(forward_rows(problem.model, problem.x[:n]), together[:n])


def test_auto_is_a_positive_number_and_a_number_is_itself(make_problem):
    assert rows_per_call("auto", make_problem(3).model) >= MIN_ROWS
    assert rows_per_call(7, make_problem(3).model) == 7
