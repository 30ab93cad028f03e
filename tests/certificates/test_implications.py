"""Verdicts that follow from those on other claims, against those that are searched."""

import dataclasses

import pytest
import torch

from rafair.certificates import certify
from rafair.certificates.implications import accurate_fair_if_accurate, fair_if_accurate_fair
from rafair.fairness import judge


@pytest.mark.parametrize("k", [2, 3])
def test_what_follows_is_what_is_found(make_problem, k):
    problem = make_problem(k, seed=30 + k, n=24)
    found = {
        claim: certify(*problem.arguments, claim=claim)
        for claim in ("accurate", "accurate_fair", "fair")
    }
    implied = fair_if_accurate_fair(found["accurate_fair"], *problem.arguments)
    known = implied.status != 0
    assert known.any()
    assert torch.equal(implied.status[known], found["fair"].status[known])
    broken = implied.status == -1
    if broken.any():
        people = (implied.witness[broken], problem.y[broken], problem.counterparts)
        assert judge(problem.model, *people).breaks("fair").all()
    assert problem.space.contains(implied.witness[broken], problem.x[broken]).all()
    follows = accurate_fair_if_accurate(found["accurate"]).status == -1
    assert follows.any()
    assert (found["accurate_fair"].status[follows] == -1).all()


def test_a_model_that_gives_scores_is_only_asked_at_the_witness(make_problem):
    problem = make_problem(2, seed=32, n=24)
    found = certify(*problem.arguments, claim="accurate_fair")
    asked = []

    @dataclasses.dataclass(frozen=True, eq=False)
    class Counted(type(problem.model)):
        def scores(self, x):
            asked.append(len(x))
            return super().scores(x)

    fields = {f.name: getattr(problem.model, f.name) for f in dataclasses.fields(problem.model)}
    model = Counted(**{**fields, "access": "scores"})
    implied = fair_if_accurate_fair(found, *problem.but(model=model).arguments)
    whole = fair_if_accurate_fair(found, *problem.arguments)
    fewer = implied.status != whole.status
    assert (implied.status[fewer] == 0).all()
    assert len(asked) < 40
