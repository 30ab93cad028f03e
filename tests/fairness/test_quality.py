import pytest
import torch
from torch import nn

import rafair
import reference
from rafair.fairness import model_quality
from rafair.fairness.quality import accuracy_figures


@pytest.fixture(scope="module")
def threshold():
    """Decides 1 above one half."""
    module = nn.Linear(1, 1)
    module.weight.data, module.bias.data = torch.tensor([[1.0]]), torch.tensor([-0.5])
    return rafair.wrap(module, output="logits")


def test_accuracy_figures_count_every_class_alike(threshold):
    x = torch.tensor([[0.1], [0.2], [0.3], [0.9], [0.1], [0.8]])
    figures = accuracy_figures(threshold, x, torch.tensor([0, 0, 0, 0, 1, 1]))
    assert figures == pytest.approx(
        {
            "accuracy": 4 / 6,
            "balanced_accuracy": (3 / 4 + 1 / 2) / 2,
            "majority_share": 4 / 6,
        },
        rel=1e-6,
    )


def test_a_model_that_predicts_one_class_is_unmasked(threshold):
    x = torch.tensor([[0.1]] * 9 + [[0.2]])
    figures = accuracy_figures(threshold, x, torch.tensor([0] * 9 + [1]))
    assert figures["accuracy"] == pytest.approx(0.9)
    assert figures["balanced_accuracy"] == 0.5
    assert figures["majority_share"] == pytest.approx(0.9)


def test_a_class_that_does_not_occur_is_left_out_of_the_balance(threshold):
    x = torch.tensor([[0.9], [0.1], [0.8]])
    assert accuracy_figures(threshold, x, torch.tensor([1, 1, 1]))["balanced_accuracy"] == (
        pytest.approx(2 / 3)
    )


def test_model_quality_adds_clean_fairness(make_problem):
    problem = make_problem(3, n=30)
    quality = model_quality(problem.model, problem.x, problem.y, problem.counterparts)
    judged = [
        reference.judge(problem.module, row, label, problem.counterparts.columns, problem.grid)
        for row, label in zip(problem.x, problem.y.tolist(), strict=True)
    ]
    accurate, fair, accurately_fair = (sum(column) / 30 for column in zip(*judged, strict=True))
    assert quality["accuracy"] == pytest.approx(accurate)
    assert quality["if"] == pytest.approx(fair)
    assert quality["af"] == pytest.approx(accurately_fair)
    assert set(quality) == {"accuracy", "balanced_accuracy", "majority_share", "if", "af"}
