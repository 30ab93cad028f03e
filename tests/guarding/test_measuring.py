"""What a guard changes, counted by hand."""

import pytest
import torch

from rafair.guarding import RULES, GuardedClassifier, guard_figures, milliseconds


@pytest.mark.parametrize("rule", sorted(RULES))
def test_figures_are_counts(rule, problem):
    guard = GuardedClassifier(problem.model, problem.counterparts, rule)
    k, n = problem.model.scores(problem.x).shape[1], len(problem.x)
    bare, found = (m.scores(problem.x).argmax(1).tolist() for m in (problem.model, guard))
    labels = problem.y.tolist()
    (_, before), (name, after) = guard_figures(guard, problem.x, problem.y).items()
    assert name == f"guard by {rule}"
    right = sum(a == b for a, b in zip(found, labels, strict=True))
    answered = [a for a in found if a < k]
    assert after["accuracy"] == pytest.approx(right / n)
    assert after["abstained"] == pytest.approx(1 - len(answered) / n)
    assert (after["abstained"] > 0) == (rule == "own-or-abstain")
    changed = sum(a != b and a < k for a, b in zip(found, bare, strict=True))
    assert after["changed"] == pytest.approx(changed / n)
    if answered:
        assert after["accuracy_of_answers"] == pytest.approx(right / len(answered))
    else:
        assert after["accuracy_of_answers"] is None
    assert before["changed"] == 0
    assert before["abstained"] == 0


def test_the_time_of_a_row_is_positive(problem):
    assert milliseconds(problem.model, torch.cat([problem.x] * 50)) > 0
