import pytest
import torch
from torch import nn

import rafair
from rafair.fairness import worst_of_all
from rafair.problem.losses import CrossEntropy, Margin, MeanSquaredError
from reference import is_same_person, loss_at, people

LOSSES = {"margin": Margin(), "cross_entropy": CrossEntropy(), "mse": MeanSquaredError()}


def worst(problem, loss, **options):
    return worst_of_all(
        problem.model, problem.x, problem.y, problem.counterparts, LOSSES[loss], **options
    )


def off_grid(problem):
    grid, columns = problem.grid, problem.counterparts.columns
    return torch.tensor([not any(is_same_person(v, columns, g) for g in grid) for v in problem.x])


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_the_largest_of_a_loop_over_everybody(problem, loss):
    largest, row = worst(problem, loss)
    columns = problem.counterparts.columns
    for i, (v, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        losses = [loss_at(problem.module, w, label, loss) for w in people(v, columns, problem.grid)]
        assert float(largest[i]) == pytest.approx(max(losses), abs=1e-12)
        assert losses[int(row[i]) + 1] == pytest.approx(max(losses), abs=1e-12)


def test_v_itself_is_meant_where_it_is_off_the_grid_and_worse_than_all(make_problem):
    one = rafair.Counterparts.product((1, 4), [[0.45], [0.0]])
    problem = make_problem(2, seed=4, n=40).but(counterparts=one)
    _, row = worst(problem, "margin")
    itself = row == -1
    assert 0 < itself.sum() < off_grid(problem).sum()
    assert not itself[~off_grid(problem)].any()
    own = problem.counterparts.take(problem.x, row)[itself]
    assert torch.equal(own, problem.x[itself])


def test_who_is_worst_is_found_by_the_row_of_the_grid(make_problem):
    problem = make_problem(3, seed=1, n=30)
    largest, row = worst(problem, "margin")
    person = problem.counterparts.take(problem.x, row)
    reached = [
        loss_at(problem.module, v, label, "margin")
        for v, label in zip(person, problem.y.tolist(), strict=True)
    ]
    torch.testing.assert_close(largest, torch.tensor(reached, dtype=torch.float64))
    assert len(set(row.tolist())) > 2


class Blind(nn.Module):
    """Scores in which column 1 counts only where it is above a half."""

    def forward(self, x):
        return torch.stack([torch.zeros(len(x), dtype=x.dtype), (x[:, 1] > 0.5).to(x.dtype)], 1)


@pytest.mark.parametrize(
    ("own", "row"),
    [(0.3, 1), (0.9, 1), (0.7, 1), (1.0, 1)],
    ids=["v fares better", "v is off the grid", "v is the first", "v is another"],
)
def test_of_equals_the_first_row_of_the_grid_is_named(own, row):
    model = rafair.wrap(Blind(), output="logits")
    grid = torch.tensor([[0.0], [0.7], [0.7], [1.0], [0.0]])
    x, y = torch.tensor([[0.2, own]], dtype=torch.float32), torch.tensor([0])
    largest, found = worst_of_all(model, x, y, rafair.Counterparts((1,), grid), Margin())
    assert (largest.tolist(), found.tolist()) == ([1.0], [row])


def test_of_equals_v_itself_comes_last():
    model = rafair.wrap(Blind(), output="logits")
    x, y = torch.tensor([[0.2, 0.6], [0.2, 0.1]]), torch.tensor([0, 0])
    below = rafair.Counterparts((1,), torch.tensor([[0.0], [0.4]]))
    largest, row = worst_of_all(model, x, y, below, Margin())
    assert (largest.tolist(), row.tolist()) == ([1.0, 0.0], [-1, 0])


class Possible(rafair.Counterparts):
    """Nobody has the last combination."""

    def valid(self, x):
        valid = super().valid(x)
        valid[:, -1] = False
        return valid


def test_who_is_no_possible_person_does_not_count(problem):
    columns, grid = problem.counterparts.columns, problem.counterparts.grid
    before = worst(problem, "margin")[1]
    grid = grid.roll(-1 - int(before[0]), 0)
    some = problem.but(counterparts=Possible(columns, grid))
    others = problem.but(counterparts=rafair.Counterparts(columns, grid[:-1]))
    for found, expected in zip(worst(some, "margin"), worst(others, "margin"), strict=True):
        assert torch.equal(found, expected)
    assert worst(problem.but(counterparts=rafair.Counterparts(columns, grid)), "margin")[1][0] == 5


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_batch_size_does_not_matter(problem, size):
    for found, expected in zip(
        worst(problem, "mse", batch_size=size), worst(problem, "mse"), strict=True
    ):
        assert torch.equal(found, expected)
