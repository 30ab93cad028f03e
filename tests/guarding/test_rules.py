"""The three rules against their definitions, one person at a time."""

import pytest
import torch

from rafair.guarding.rules import joined, votes

N, M = 40, 7


@pytest.fixture(params=[2, 3], ids=["k=2", "k=3"])
def scores(request):
    generator = torch.Generator().manual_seed(request.param)
    found = torch.randn(N, M, request.param, generator=generator, dtype=torch.float64)
    return found + torch.randn(N, 1, request.param, generator=generator, dtype=torch.float64)


@pytest.fixture
def asked():
    mask = torch.rand(N, M, generator=torch.Generator().manual_seed(9)) < 0.8
    mask[:, 3] = True
    return mask


def each(scores, asked):
    return [person[mask] for person, mask in zip(scores, asked, strict=True)]


def test_mean_of_logits(scores, asked):
    found = joined("mean", scores, asked, are_logits=True)
    expected = torch.stack([people.mean(dim=0) for people in each(scores, asked)])
    torch.testing.assert_close(found, expected)


def test_mean_of_probabilities(scores, asked):
    found = joined("mean", scores, asked, are_logits=False)
    several = [people.softmax(dim=1).mean(dim=0) for people in each(scores, asked)]
    torch.testing.assert_close(found.exp(), torch.stack(several))


def test_the_mean_of_one_person_does_not_depend_on_the_others(scores, asked):
    together = joined("mean", scores, asked, are_logits=True)
    alone = [joined("mean", scores[i : i + 1], asked[i : i + 1], are_logits=True) for i in range(N)]
    assert torch.cat(alone).equal(together)


def test_the_majority_decides(scores, asked):
    found = joined("majority", scores, asked, are_logits=True).argmax(dim=1)
    for answer, people in zip(found, each(scores, asked), strict=True):
        count = torch.bincount(people.argmax(dim=1), minlength=scores.shape[2])
        assert count[answer] == count.max()
        if scores.shape[2] == 2:  # of equal votes the first class
            assert answer == count.argmax()


def test_votes_are_shares_that_agree_with_the_majority(scores, asked):
    found = votes(scores, asked)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(N, dtype=torch.float64))
    majority = joined("majority", scores, asked, are_logits=True).argmax(dim=1)
    assert found.argmax(dim=1).equal(majority)


def test_own_or_abstain_answers_where_all_agree(scores, asked):
    k = scores.shape[2]
    found = joined("own-or-abstain", scores, asked, are_logits=True).argmax(dim=1)
    answers = [set(people.argmax(dim=1).tolist()) for people in each(scores, asked)]
    expected = [next(iter(given)) if len(given) == 1 else k for given in answers]
    assert found.tolist() == expected
    assert {k, 0} <= set(expected)


def test_equal_scores_are_no_agreement():
    scores = torch.tensor([[[1.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [2.0, 0.0]]])
    asked = torch.ones(2, 2, dtype=torch.bool)
    found = joined("own-or-abstain", scores.double(), asked, are_logits=True).argmax(dim=1)
    assert found.tolist() == [2, 0]  # the first of equal scores is class 0
