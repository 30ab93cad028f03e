"""skorch's classifiers: the torch module inside, in double precision."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rafair.models.conversion.registry import classifier

if TYPE_CHECKING:
    from rafair.models.conversion.columns import Columns
    from rafair.models.conversion.registry import Layers

__all__ = ["LogOdds", "inner_module"]

# Losses with which skorch's predict_proba is the softmax or sigmoid of what the module returns, and
# those with which it is what the module returns.
OF_LOGITS = (nn.CrossEntropyLoss, nn.BCEWithLogitsLoss)
OF_PROBABILITIES = (nn.NLLLoss, nn.BCELoss)


class LogOdds(nn.Module):
    """Maps k probabilities to their logarithms, and a single one to its logit."""

    def forward(self, p: Tensor) -> Tensor:
        """Return logits, shape (n, k) or (n, 1), of p, shape (n, k), (n, 1) or (n,)."""
        p = p.reshape(len(p), -1)
        tiny = torch.finfo(p.dtype).tiny
        if p.shape[1] == 1:
            return torch.logit(p.clamp(tiny, 1 - torch.finfo(p.dtype).eps / 2))
        return torch.log(p.clamp_min(tiny))


def _is_known(step: Any) -> bool:
    """Tell whether what a fitted net predicts is known from its module's outputs."""
    return (
        hasattr(step, "module_")
        and step.predict_nonlinearity == "auto"
        and isinstance(step.criterion_, OF_LOGITS + OF_PROBABILITIES)
        and getattr(step, "threshold", 0.5) == 0.5
    )


@classifier("NeuralNetClassifier", "NeuralNetBinaryClassifier", fits=_is_known)
def inner_module(step: Any, columns: Columns) -> Layers:
    """Take a copy of the module; a softmax or sigmoid at its end becomes part of the scores."""
    found = copy.deepcopy(step.module_).double().eval().requires_grad_(requires_grad=False)
    layers = list(found) if isinstance(found, nn.Sequential) else [found]
    first = columns.piecewise
    if isinstance(layers[0], nn.Linear):
        weight, bias = layers[0].weight.cpu(), layers[0].bias
        first = first.affine(weight, torch.zeros(len(weight)) if bias is None else bias.cpu())
        layers = layers[1:]
    if isinstance(step.criterion_, OF_PROBABILITIES):
        squash = nn.Sigmoid if isinstance(step.criterion_, nn.BCELoss) else nn.Softmax
        layers = layers[:-1] if isinstance(layers[-1], squash) else [*layers, LogOdds()]
    return first, layers
