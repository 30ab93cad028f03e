"""A row's candidates, judged; equal ones once."""

import pytest
import torch

from rafair import judge
from rafair.fairness import Verdict, judge_candidates
from rafair.problem import batching


@pytest.fixture(scope="module", params=[(2, torch.float64), (3, torch.float32)], ids=str)
def candidates(request, make_problem):
    """Five candidates per seed of which some are equal, and two equal seeds with other labels."""
    k, dtype = request.param
    problem = make_problem(k, seed=4, n=12, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(5, 12, problem.x.shape[1], generator=generator, dtype=torch.float64)
    points[2], points[4] = points[0], points[1]
    points[:, 7] = points[:, 8]
    y = problem.y.clone()
    y[7] = (y[8] + 1) % k
    return points, problem.but(y=y)


def test_equal_candidates_are_judged_as_if_each_were_alone(candidates):
    points, problem = candidates
    row = judge_candidates(problem.model, points, problem.y, problem.counterparts, "auto")
    for x, found in zip(points, row.verdicts, strict=True):
        expected = judge(problem.model, x, problem.y, problem.counterparts)
        for name in ("accurate", "fair", "cells"):
            assert torch.equal(getattr(found, name), getattr(expected, name))
    assert torch.equal(row.candidates, points)


def test_equal_candidates_go_through_the_model_once(candidates, monkeypatch):
    points, problem = candidates
    rows = []
    scores = type(problem.model).scores

    def counted(model, x):
        rows.append(len(x))
        return scores(model, x)

    monkeypatch.setattr(type(problem.model), "scores", counted)
    monkeypatch.setattr(batching, "dense_network", lambda _: None)  # it would go by another way
    monkeypatch.setattr(batching, "MIN_ROWS", 1)
    monkeypatch.setattr(batching, "ROW_BLOCK", 1)
    judge_candidates(problem.model, points, problem.y, problem.counterparts, "auto")
    distinct = 3 * len(problem.x)
    # Everyone in I(v) and v itself, and two rows that tell how many classes there are.
    assert sum(rows) == distinct * (len(problem.counterparts) + 1) + 2


def test_taking_verdicts_takes_all_three_of_their_parts():
    accurate = torch.tensor([True, True, False, False])
    fair = torch.tensor([True, False, True, False])
    taken = Verdict.of(accurate, fair).take(torch.tensor([3, 1, 1]))
    assert taken.accurate.tolist() == [False, True, True]
    assert taken.fair.tolist() == [False, False, False]
    assert taken.cells.tolist() == [3, 1, 1]
