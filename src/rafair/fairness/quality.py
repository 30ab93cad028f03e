"""Quality of a model on clean data.

A model that always predicts the same class is robust and fair, but useless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import predict
from rafair.fairness.judging import judge
from rafair.fairness.verdict import TF

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["accuracy_figures", "constant_model", "model_quality"]


def accuracy_figures(model: Classifier, x: Tensor, y: Tensor) -> dict[str, float]:
    """Return ``accuracy``, ``balanced_accuracy`` and ``majority_share`` on the given rows.

    The last one is the share of the most frequent label. All three lie in [0, 1].
    """
    correct = predict(model, x) == y
    recalls = [correct[y == label].double().mean() for label in torch.unique(y)]
    return {
        "accuracy": float(correct.double().mean()),
        "balanced_accuracy": float(sum(recalls)) / len(recalls),
        "majority_share": int(y.bincount().max()) / len(y),
    }


def model_quality(
    model: Classifier, x: Tensor, y: Tensor, counterparts: Counterparts
) -> dict[str, float]:
    """Return the accuracy figures, and the shares ``if`` and ``af``, on the given rows.

    ``if`` is the share of fair instances, ``af`` that of accurately fair ones; no instance is
    perturbed.
    """
    verdict = judge(model, x, y, counterparts)
    return {
        **accuracy_figures(model, x, y),
        "if": float(verdict.fair.double().mean()),
        "af": float((verdict.cells == TF).double().mean()),
    }


def constant_model(y: Tensor) -> dict[str, float]:
    """Return the rates of a model that gives everybody the most frequent class in y.

    Nothing changes its answers, so that each rate is clean and robust at once; it is the mark that
    a useful model must pass. ``af_balanced`` is also its balanced accuracy.
    """
    _, sizes = torch.unique(y, return_counts=True)
    share = int(sizes.max()) / len(y)
    return {"acc": share, "if": 1.0, "af": share, "af_balanced": 1 / len(sizes)}
