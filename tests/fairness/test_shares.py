"""The share of a person's counterparts that are decided otherwise."""

import pytest
import torch

import rafair
import reference
from rafair.fairness import dissenting, judge


@pytest.fixture(scope="module", params=[2, 3])
def people(request, make_problem):
    problem = make_problem(request.param, seed=32, n=20)
    x = problem.x.clone()
    x[:12, 4] = torch.tensor([0.0, 0.31, 0.77, 1.0]).repeat(3).to(x)
    x[:12, 1] = torch.tensor([0.0, 0.43, 1.0]).repeat_interleave(4).to(x)
    values = [[0.0, 0.31, 0.77, 1.0], [0.0, 0.43, 1.0]]
    return problem.but(x=x, counterparts=rafair.Counterparts.product([4, 1], values))


def test_it_is_what_one_counts_by_hand(people):
    found, columns = dissenting(people.model, people.x, people.counterparts), (4, 1)
    for share, v in zip(found.tolist(), people.x, strict=True):
        own = tuple(round(float(v[column]), 5) for column in columns)
        others = [g for g in people.grid if tuple(round(float(a), 5) for a in g) != own]
        given = [
            reference.decision(people.module, reference.with_values(v, columns, values))
            for values in others
        ]
        differing = sum(decision != reference.decision(people.module, v) for decision in given)
        assert share == pytest.approx(differing / len(others))


def test_it_is_nothing_exactly_where_the_judge_finds_no_bias(people):
    fair = judge(people.model, people.x, people.y, people.counterparts).fair
    found = dissenting(people.model, people.x, people.counterparts)
    assert torch.equal(found == 0, fair)
    assert fair.any()
    assert not fair.all()


def test_it_does_not_depend_on_the_batch(people):
    whole = dissenting(people.model, people.x, people.counterparts)
    assert torch.equal(dissenting(people.model, people.x, people.counterparts, 5), whole)
    single = [dissenting(people.model, v[None], people.counterparts) for v in people.x]
    assert torch.equal(torch.cat(single), whole)


def test_whoever_has_no_other_counterpart_gets_nothing(people):
    alone = rafair.Counterparts.product([4], [[0.5]])
    x = people.x.clone()
    x[:, 4] = 0.5
    assert not dissenting(people.model, x, alone).any()
