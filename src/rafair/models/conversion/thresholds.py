"""Classifiers that decide by a threshold of their own.

``FixedThresholdClassifier`` and ``TunedThresholdClassifierCV`` decide for the positive class where
its score is at least the threshold, equality included. The scores here are shifted so that the
larger of two scores is the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.special import expit, logit
from torch import Tensor, nn

from rafair.models.chain import linear_layer
from rafair.models.conversion.registry import classifier, convert, is_from_sklearn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rafair.models.conversion.columns import Columns
    from rafair.models.conversion.registry import Layers

__all__ = ["Cut", "Threshold", "cut_off", "folded", "threshold_of"]

FIXED, TUNED = "FixedThresholdClassifier", "TunedThresholdClassifierCV"
# Log-odds beyond this are a probability of 0 or 1 in float64.
SATURATED = 800.0


@dataclass(frozen=True)
class Threshold:
    """The rule by which a binary classifier of scikit-learn decides.

    Attributes
    ----------
    method : {"predict_proba", "decision_function"}
        The method of the classifier that gives the score.
    value : float
        The positive class is decided where its score is at least this.
    positive : {0, 1}
        Place of the positive class in ``classes_``.
    """

    method: Literal["predict_proba", "decision_function"]
    value: float
    positive: int

    def margins(self, answer: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how clearly rows are decided for ``classes_[1]``, shape (n,), never 0.

        The result is the log-odds minus those of the threshold, or the score minus the threshold.

        Parameters
        ----------
        answer : ndarray, shape (n, 2) or (n,)
            What ``method`` returns for n rows.
        """
        if self.method == "predict_proba":
            score = answer[:, self.positive]
            beyond = _log_odds(score) - _log_odds(np.float64(self.value))
        else:
            score = answer if self.positive else -answer
            beyond = score - self.value
        size = np.maximum(np.abs(beyond), np.finfo(np.float64).tiny)
        signed: npt.NDArray[np.float64] = np.where(
            (score >= self.value) == bool(self.positive), size, -size
        )
        return signed

    def cutoff(self) -> float:
        """Return the logit of ``classes_[1]`` at which the decision changes.

        It is the last logit decided for the positive class, so that rounding in the sigmoid, too,
        is scikit-learn's.
        """
        if self.method == "decision_function":
            return self.value if self.positive else -self.value
        # Halve the interval of logits until its ends are neighbours.
        sign = 1.0 if self.positive else -1.0
        outside, inside = -sign * SATURATED, sign * SATURATED
        while (middle := (outside + inside) / 2) not in (outside, inside):
            p = float(expit(middle))
            if (p if self.positive else 1 - p) >= self.value:
                inside = middle
            else:
                outside = middle
        return inside


def _log_odds(p: Any) -> Any:
    return logit(np.clip(p, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg))


def threshold_of(model: Any) -> Threshold | None:
    """Return the threshold by which a fitted model decides; None if it has none of its own."""
    if not is_from_sklearn(model):
        return None
    if type(model).__name__ in (FIXED, TUNED):
        return _own(model)
    if hasattr(model, "best_estimator_"):
        return threshold_of(model.best_estimator_)
    steps = getattr(model, "steps", None)
    return threshold_of(steps[-1][1]) if steps else None


def _own(step: Any) -> Threshold:
    inner = _inner(step)
    method = step.response_method
    if method == "auto":
        method = "predict_proba" if hasattr(inner, "predict_proba") else "decision_function"
    if type(step).__name__ == TUNED:
        value, label = step.best_threshold_, step._curve_scorer._get_pos_label()
    else:
        value, label = step.threshold, step.pos_label
    if isinstance(value, str):  # "auto"
        value = 0.5 if method == "predict_proba" else 0.0
    positive = 1 if label is None else list(step.classes_).index(label)
    return Threshold(method, float(value), positive)


def _inner(step: Any) -> Any:
    """Return the classifier whose score is compared; one fitted before is not fitted again."""
    return getattr(step, "estimator_", step.estimator)


def _divides(step: Any) -> bool:
    """Tell whether a threshold lies among the scores, so that a logit corresponds to it."""
    found = _own(step)
    return found.method == "decision_function" or 0 < found.value < 1


class Cut(nn.Module):
    """Subtracts the logit at which the decision changes.

    Attributes
    ----------
    cutoff : float
    ties : {-1.0, 1.0}
        Sign of the result at ``cutoff`` itself: positive for ``classes_[1]``.
    """

    def __init__(self, cutoff: float, ties: float) -> None:
        super().__init__()
        self.cutoff, self.ties = cutoff, ties

    def forward(self, z: Tensor) -> Tensor:
        """Return the shifted logits, shape (n, 1); a tie becomes the smallest step away from 0."""
        towards = torch.full_like(z, self.ties * torch.inf)
        return torch.nextafter(z - self.cutoff, towards)


@classifier(FIXED, TUNED, parts=lambda step: [_inner(step)], fits=_divides)
def cut_off(step: Any, columns: Columns) -> Layers:
    """Convert the classifier, and shift its logit by the threshold."""
    found = _own(step)
    first, behind = convert(_inner(step), columns)
    # A threshold within another does not change the scores that the outer one compares.
    plain = [layer for layer in behind if not isinstance(layer, Cut)]
    return first, [*plain, Cut(found.cutoff(), 1.0 if found.positive else -1.0)]


def folded(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """Return layers in which a last ``Cut`` is part of the linear layer before it."""
    *before, last = layers
    if not isinstance(last, Cut):
        return list(layers)
    linear = before.pop()
    assert isinstance(linear, nn.Linear)  # noqa: S101 - every classifier ends in logits
    return [*before, linear_layer(linear.weight.detach(), last(linear.bias.detach()))]
