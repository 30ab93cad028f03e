"""What a guard changes: accuracy and abstentions beside those of the bare model, and latency."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import own_scores, predict
from rafair.fairness.quality import accuracy_figures

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.guarding.classifier import GuardedClassifier
    from rafair.models import Classifier

__all__ = ["BATCH", "guard_figures", "milliseconds"]

# Rows of a batch whose latency is measured.
BATCH = 1_000


def guard_figures(
    guard: GuardedClassifier, x: Tensor, y: Tensor
) -> dict[str, dict[str, float | None]]:
    """Return shares of clean rows, for the bare model and for its guard.

    Returns
    -------
    dict of dict
        ``accuracy`` and ``balanced_accuracy`` (no answer is no right one), ``abstained``,
        ``accuracy_of_answers`` (None without any), and ``changed``: the share of answers that are
        not the bare model's.
    """
    bare = predict(guard.model, x)
    return {
        "bare model": _figures(guard.model, x, y, bare),
        f"guard by {guard.rule}": _figures(guard, x, y, bare),
    }


def _figures(model: Classifier, x: Tensor, y: Tensor, bare: Tensor) -> dict[str, float | None]:
    scores = own_scores(model, x)
    found, k = scores.argmax(dim=1), scores.shape[1]
    answered = found < k - int(getattr(model, "may_abstain", False))
    right = (found == y)[answered]
    figures = accuracy_figures(model, x, y)
    return {
        "accuracy": figures["accuracy"],
        "balanced_accuracy": figures["balanced_accuracy"],
        "abstained": 1 - float(answered.double().mean()),
        "accuracy_of_answers": float(right.double().mean()) if len(right) else None,
        "changed": float((found != bare)[answered].double().sum()) / len(x),
    }


def milliseconds(model: Classifier, x: Tensor) -> float:
    """Return the processor time of one row in a batch of up to ``BATCH`` rows, in milliseconds.

    It is that of all threads together. The first batch is not counted: it compiles kernels.
    """
    batch = x[:BATCH].to(model.dtype)
    with torch.no_grad():
        model.scores(batch)
        start = time.process_time()
        model.scores(batch)
    return (time.process_time() - start) * 1_000 / len(batch)
