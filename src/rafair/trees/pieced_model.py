"""A model of trees that is asked through its pieces, in place of the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.trees.ensemble import TreeEnsemble

__all__ = ["PiecedClassifier", "quick_model"]


def quick_model(ensemble: TreeEnsemble, model: Classifier) -> Classifier:
    """Return a model that decides by pieces if the given one does, else the given one."""
    return PiecedClassifier(ensemble, model) if ensemble.is_pieced else model


@dataclass(frozen=True, eq=False)
class PiecedClassifier:
    """Computes scores from the pieces that features lie in; no frame is made and no pipeline runs.

    It decides as the model does, except where the model's rounding decides. Therefore it only
    proposes people, of whom the judge asks the model.

    Attributes
    ----------
    ensemble : TreeEnsemble
    model : Classifier
        The wrapped model.
    """

    ensemble: TreeEnsemble
    model: Classifier

    access: Literal["scores"] = "scores"
    dtype = torch.float64
    device = torch.device("cpu")

    def scores(self, x: Tensor) -> Tensor:
        """Return the sums of the trees, shape (n, k), float64, for unit-space rows x, (n, d)."""
        pieces = torch.from_numpy(self.ensemble.pieces(x))
        return self.ensemble.memory.scores(pieces, self._told)

    def _told(self, pieces: Tensor) -> Tensor:
        found = self.ensemble.scores(pieces.numpy())[:, list(self.ensemble.order)]
        return torch.from_numpy(np.ascontiguousarray(found))

    def digest(self) -> str:
        """Return the model's own."""
        return self.model.digest()
