import copy

import pytest
import torch

import rafair
from rafair.problem import counterpart_gradient_norms, gradient_rows, make_loss
from reference import gradient, loss_at, with_values

LOSSES = ("mse", "cross_entropy", "margin")
SIZES = (1, 7, 64, 10_000)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_autograd_row_by_row(problem, loss):
    found = gradient_rows(problem.model, problem.x, problem.y, make_loss(loss))
    for i, (row, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        expected = gradient(problem.module, row, label, loss)
        torch.testing.assert_close(
            found.log_scale[i].exp() * found.direction[i], expected, rtol=1e-9, atol=1e-13
        )
        assert float(found.loss[i]) == pytest.approx(loss_at(problem.module, row, label, loss))
        assert float(found.log_norm[i].exp()) == pytest.approx(float(expected.abs().sum()))


def test_the_direction_has_the_gradients_signs(make_problem):
    problem = make_problem(2, seed=4, sparse=True)
    found = gradient_rows(problem.model, problem.x, problem.y, make_loss("mse"))
    expected = torch.stack(
        [
            gradient(problem.module, row, label, "mse").sign()
            for row, label in zip(problem.x, problem.y.tolist(), strict=True)
        ]
    )
    assert (expected == 0).any()
    assert torch.equal(found.direction.sign(), expected)


def test_a_zero_gradient_has_log_norm_minus_infinity():
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    torch.nn.init.zeros_(module.weight)
    model = rafair.wrap(module, output="logits")
    found = gradient_rows(model, torch.rand(2, 3).double(), torch.tensor([0, 1]), make_loss("mse"))
    assert (found.log_norm == -torch.inf).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_counterpart_norms_equal_brute_force(problem, loss):
    norms = counterpart_gradient_norms(
        problem.model, problem.x, problem.y, problem.counterparts, make_loss(loss)
    )
    assert norms.shape == (len(problem.x), len(problem.grid))
    for i, (row, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        for j, values in enumerate(problem.grid):
            person = with_values(row, problem.counterparts.columns, values)
            expected = float(gradient(problem.module, person, label, loss).abs().sum())
            assert float(norms[i, j].exp()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_do_not_depend_on_the_batch_size(make_problem, dtype):
    problem = make_problem(3, n=70, dtype=dtype)
    results = [
        gradient_rows(problem.model, problem.x, problem.y, make_loss("mse"), size)
        for size in (*SIZES, "auto")
    ]
    for result in results[1:]:
        assert torch.equal(result.direction, results[0].direction)
        assert torch.equal(result.log_scale, results[0].log_scale)
        assert torch.equal(result.loss, results[0].loss)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_counterpart_norms_do_not_depend_on_the_batch_size(make_problem, dtype):
    problem = make_problem(3, n=13, dtype=dtype)
    results = [
        counterpart_gradient_norms(
            problem.model, problem.x, problem.y, problem.counterparts, make_loss("mse"), size
        )
        for size in (*SIZES, "auto")
    ]
    assert all(torch.equal(result, results[0]) for result in results[1:])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_larger_network_does_not_depend_on_the_batch_size(credit, credit_model, dtype):
    model = rafair.wrap(copy.deepcopy(credit_model.module).to(dtype), output="logits")
    x, y = credit.test.x[:5], credit.test.y[:5]
    everyone = rafair.Counterparts.of(credit.schema, sample=23)
    results = [
        counterpart_gradient_norms(model, x, y, everyone, make_loss("mse"), size)
        for size in (*SIZES, 65, 90, 111)
    ]
    assert all(torch.equal(result, results[0]) for result in results[1:])


@pytest.mark.parametrize("size", [0, -3, 1.5, True, "many", None])
def test_a_batch_size_that_is_no_positive_number_is_refused(problem, size):
    with pytest.raises(rafair.InvalidInput, match="batch_size must be"):
        gradient_rows(problem.model, problem.x, problem.y, make_loss("mse"), size)


def test_gradients_leave_the_parameters_without_gradients(problem):
    gradient_rows(problem.model, problem.x, problem.y, make_loss("mse"))
    assert all(parameter.grad is None for parameter in problem.module.parameters())
