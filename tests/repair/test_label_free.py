"""Repair without the label: what it may know, and what it must not do."""

from dataclasses import dataclass

import pytest
import torch

import rafair
from rafair.fairness import TF, judge
from rafair.guarding import GuardedClassifier
from rafair.guarding.rules import margin_shares
from rafair.repair import LabelFree


@dataclass(frozen=True, eq=False)
class BlackBox:
    """A model that tells nothing but its scores."""

    model: rafair.Classifier
    access: str = "scores"
    dtype: torch.dtype = torch.float64
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it never changes

    def scores(self, x):
        with torch.no_grad():
            return self.model.scores(x)

    def digest(self):
        return self.model.digest()


@pytest.fixture
def mended(problem):
    return LabelFree(rows=60).run(problem.model, problem.x, problem.counterparts, problem.space)


def test_whoever_gets_an_answer_is_decided_alike_and_stays_in_the_space(problem, mended):
    answered = ~mended.abstained
    assert answered.any()
    assert mended.abstained.any()
    points, answer = mended.x_adv[answered], mended.answer[answered]
    assert (judge(problem.model, points, answer, problem.counterparts).cells == TF).all()
    assert problem.space.contains(mended.x_adv, problem.x).all()
    assert mended.x_adv[mended.abstained].equal(problem.x[mended.abstained])


def test_everybody_in_I_gets_the_same_answer(problem, mended):
    everyone = problem.counterparts.rows(problem.x)
    again = LabelFree(rows=60).run(problem.model, everyone, problem.counterparts, problem.space)
    shape = (len(problem.x), len(problem.counterparts))
    assert again.answer.view(shape).eq(mended.answer.unsqueeze(1)).all()
    assert again.abstained.view(shape).eq(mended.abstained.unsqueeze(1)).all()


def test_a_row_does_not_depend_on_its_company(problem, mended):
    alone = [
        LabelFree(rows=60).run(problem.model, row[None], problem.counterparts, problem.space)
        for row in problem.x
    ]
    assert torch.cat([one.x_adv for one in alone]).equal(mended.x_adv)
    assert torch.cat([one.abstained for one in alone]).equal(mended.abstained)


def test_a_higher_share_is_asked_of_fewer(problem):
    asked = problem.model, problem.x, problem.counterparts, problem.space
    silent = [LabelFree(rows=60, least=least).run(*asked).abstained for least in (0.5, 0.75, 1.0)]
    assert (silent[0] <= silent[1]).all()
    assert (silent[1] <= silent[2]).all()


def test_shares_weigh_votes_by_their_margins(problem):
    scores = problem.model.scores(problem.counterparts.rows(problem.x))
    scores = scores.view(len(problem.x), len(problem.counterparts), -1)
    asked = torch.rand(scores.shape[:2], generator=torch.Generator().manual_seed(2)) < 0.7
    asked[:, 0] = True
    found = margin_shares(scores, asked)
    for person, who, shares in zip(scores, asked, found, strict=True):
        weights = torch.zeros(scores.shape[2], dtype=torch.float64)
        for row in person[who]:
            first, second = row.sort(descending=True).values[:2]
            weights[row.argmax()] += first - second
        torch.testing.assert_close(shares, weights / weights.sum())
    even = margin_shares(torch.zeros(1, 3, 4, dtype=torch.float64), asked[:1, :3])
    assert even.tolist() == [[0.25] * 4]


def test_the_consensus_asks_enough_rows_near_v(problem):
    consensus = LabelFree(rows=20).consensus(problem.model, problem.counterparts, problem.space)
    assert isinstance(consensus, GuardedClassifier)
    assert consensus.neighbourhood.points == 4  # six members, at least 20 rows
    rows = problem.counterparts.rows(problem.x)
    moved = consensus.neighbourhood.moved(rows, len(problem.x))
    assert problem.space.contains(moved, rows.repeat_interleave(4, 0)).all()
    assert len(torch.unique(moved[: 4 * 6], dim=0)) == 24


def test_a_model_without_gradients_is_searched(problem):
    asked = problem.x, problem.counterparts, problem.space
    found = LabelFree(rows=12).run(BlackBox(problem.model), *asked)
    answered = ~found.abstained
    points, answer = found.x_adv[answered], found.answer[answered]
    assert (judge(problem.model, points, answer, problem.counterparts).cells == TF).all()


@pytest.mark.parametrize("bad", [{"rows": 0}, {"least": 0.4}, {"least": 1.5}, {"rows": 2.5}])
def test_what_has_no_meaning_is_refused(bad):
    with pytest.raises(rafair.InvalidInput, match=next(iter(bad))):
        LabelFree(**bad)
