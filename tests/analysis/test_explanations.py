import pytest
import torch
from torch import nn

import rafair
import reference
from rafair.analysis import explain
from rafair.problem import SAME


@pytest.fixture(scope="module", params=[2, 3])
def people(request, make_problem):
    problem = make_problem(request.param, seed=32, n=25)
    values = [[0.0, 0.31, 0.77, 1.0], [0.0, 0.43, 1.0]]
    return problem.but(counterparts=rafair.Counterparts.product([4, 1], values))


def explained(problem, **options):
    return explain(problem.model, problem.x, problem.y, problem.counterparts, **options)


def effort(v, columns, values):
    moves = [abs(float(v[column]) - value) for column, value in zip(columns, values, strict=True)]
    return sum(move > SAME for move in moves), round(sum(moves), 9)


def test_the_flip_is_the_smallest_change_that_turns_the_decision(people):
    found, columns = explained(people), people.counterparts.columns
    flips = 0
    for i, v in enumerate(people.x):
        own = reference.decision(people.module, v)
        given = [
            reference.decision(people.module, reference.with_values(v, columns, values))
            for values in people.grid
        ]
        others = [row for row, decision in enumerate(given) if decision != own]
        assert found.prediction[i] == own
        elsewhere = [values for values in people.grid if effort(v, columns, values)[0]]
        assert found.dissenting[i] == pytest.approx(len(others) / len(elsewhere))
        if not others:
            assert found.flip[i] == -1
            assert found.flip_prediction[i] == own
            continue
        flips += 1
        best = min(others, key=lambda row: (*effort(v, columns, people.grid[row]), row))
        assert found.flip[i] == best
        assert found.flip_prediction[i] == given[best]
    assert 0 < flips < len(people.x)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "margin"])
def test_the_worst_counterpart_has_the_largest_loss(people, loss):
    found, columns = explained(people, loss=loss), people.counterparts.columns
    for i, (v, label) in enumerate(zip(people.x, people.y.tolist(), strict=True)):
        persons = [reference.with_values(v, columns, values) for values in people.grid]
        losses = [reference.loss_at(people.module, person, label, loss) for person in persons]
        worst = losses.index(max(losses))
        assert found.worst[i] == worst
        assert float(found.worst_loss[i]) == pytest.approx(losses[worst], rel=1e-9)
        assert found.worst_prediction[i] == reference.decision(people.module, persons[worst])


def test_a_flip_exists_exactly_where_the_judge_finds_bias(people):
    verdict = rafair.judge(people.model, people.x, people.y, people.counterparts)
    assert torch.equal(explained(people).flip < 0, verdict.fair)


class Inside(nn.Module):
    """Class 1 unless all columns lie near one half."""

    def forward(self, x):
        away = (x - 0.5).abs().amax(dim=1) - 0.1
        return torch.stack([torch.zeros_like(away), away], dim=1)


@pytest.fixture(scope="module")
def inside():
    return rafair.wrap(Inside(), output="logits")


def test_equal_changes_give_the_lowest_row(inside):
    v = torch.full((1, 2), 0.5, dtype=torch.float64)
    counterparts = rafair.Counterparts.product([0], [[1.0, 0.5, 0.0]])
    assert explain(inside, v, torch.tensor([0]), counterparts).flip.tolist() == [0]


def test_one_attribute_far_away_is_less_than_two_close_ones(inside):
    v = torch.full((1, 2), 0.5, dtype=torch.float64)
    grid = torch.tensor([[0.65, 0.65], [0.5, 0.0], [0.5, 0.5]], dtype=torch.float64)
    found = explain(inside, v, torch.tensor([0]), rafair.Counterparts((0, 1), grid))
    assert found.flip.tolist() == [1]
    assert found.dissenting.tolist() == [1.0]  # the person does not count


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batch_size_does_not_matter(people, size):
    expected, found = explained(people), explained(people, batch_size=size)
    for name in vars(expected):
        assert torch.equal(getattr(found, name), getattr(expected, name))


def test_a_row_alone_is_explained_as_in_company(people):
    expected, alone = explained(people), explained(people.rows([7]))
    for name in vars(expected):
        assert torch.equal(getattr(alone, name), getattr(expected, name)[[7]])


def test_an_unknown_loss_is_refused(people):
    with pytest.raises(rafair.InvalidInput, match="unknown loss 'hinge'"):
        explained(people, loss="hinge")


def test_whoever_has_no_counterpart_is_their_own_worst(people):
    nobody = rafair.Counterparts.product([4], [[0.0, 1.0]], within=[0.1])
    x = people.x.clone()
    x[:, 4] = 0.5
    found = explain(people.model, x, people.y, nobody, loss="margin")
    assert (found.worst == -1).all()
    assert (found.flip == -1).all()
    assert torch.equal(found.worst_prediction, found.prediction)
    pairs = zip(x, people.y.tolist(), strict=True)
    own = [reference.loss_at(people.module, v, y, "margin") for v, y in pairs]
    assert found.worst_loss.tolist() == pytest.approx(own)
    assert not found.dissenting.any()
