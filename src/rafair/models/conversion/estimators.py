"""Linear classifiers, and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from rafair.errors import InvalidInput
from rafair.models.conversion.registry import classifier
from rafair.models.sparse import dense

if TYPE_CHECKING:
    from rafair.models.conversion.columns import Columns
    from rafair.models.conversion.registry import Layers

__all__ = ["linear", "network"]

ACTIVATIONS: dict[str, tuple[type[nn.Module], ...]] = {
    "relu": (nn.ReLU,),
    "tanh": (nn.Tanh,),
    "logistic": (nn.Sigmoid,),
    "identity": (),
}


def _is_softmax(step: Any) -> bool:
    """Tell whether a logistic regression's probabilities are the sigmoid or softmax of its scores.

    For more than two classes, ``liblinear`` fits one class against the rest and normalises
    differently. Older versions have the parameter ``multi_class``, whose values ``ovr`` and
    ``multinomial`` can also normalise differently.
    """
    one_by_one = getattr(step, "solver", "") == "liblinear" and len(step.classes_) > 2
    return not one_by_one and getattr(step, "multi_class", "auto") in ("auto", "deprecated")


def _is_logit(step: Any) -> bool:
    """Tell whether the probabilities of an SGD model, if any, are the sigmoid of its scores."""
    loss = getattr(step, "loss", "")
    return loss != "modified_huber" and (loss != "log_loss" or len(step.classes_) == 2)


@classifier("LogisticRegression", "LogisticRegressionCV", fits=_is_softmax)
@classifier("SGDClassifier", "Perceptron", fits=_is_logit)
@classifier("LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "LinearDiscriminantAnalysis")
def linear(step: Any, columns: Columns) -> Layers:
    """Convert a classifier with one weight per column, or per column and class."""
    binarizer = getattr(step, "_label_binarizer", None)
    if "multilabel" in str(getattr(binarizer, "y_type_", "")):
        raise _several_labels(step)
    # sparsify() makes the weights sparse.
    weights = dense(step.coef_)
    matrix = _tensor(np.atleast_2d(weights))
    offset = _tensor(np.broadcast_to(step.intercept_, (len(matrix),)))
    return columns.piecewise.affine(matrix, offset), []


@classifier("MLPClassifier", fits=lambda step: step.activation in ACTIVATIONS)
def network(step: Any, columns: Columns) -> Layers:
    """Convert a feed-forward network without its last sigmoid or softmax."""
    if step.out_activation_ != "softmax" and step.n_outputs_ > 1:
        raise _several_labels(step)
    weights = [_tensor(matrix).T for matrix in step.coefs_]
    biases = [_tensor(offset) for offset in step.intercepts_]
    layers: list[nn.Module] = []
    for weight, bias in zip(weights[1:], biases[1:], strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight.contiguous(), bias
        layers += [*(kind() for kind in ACTIVATIONS[step.activation]), layer]
    return columns.piecewise.affine(weights[0], biases[0]), layers


def _tensor(values: Any) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))


def _several_labels(step: Any) -> InvalidInput:
    return InvalidInput(
        f"this {type(step).__name__} decides several labels at once; fit it to the one label"
    )
