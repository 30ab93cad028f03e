"""A classifier that is made of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from rafair.models.classifier import Access, Classifier

__all__ = ["Around"]


@dataclass(frozen=True, eq=False)
class Around:
    """Reads the same rows as another classifier, and allows an attack the same.

    Attributes
    ----------
    model : Classifier
    """

    model: Classifier

    @property
    def access(self) -> Access:
        """What an attack may use."""
        return self.model.access

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the rows."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device
