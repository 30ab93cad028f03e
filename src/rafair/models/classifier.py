"""The one protocol behind which every model stands."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from rafair.errors import InvalidInput

__all__ = ["Access", "Classifier", "parse_device", "require_gradient", "require_wrapped"]

Access: TypeAlias = Literal["gradient", "scores", "labels"]


@runtime_checkable
class Classifier(Protocol):
    """A model on unit-space rows.

    Attributes
    ----------
    access : {"gradient", "scores", "labels"}
        What an attack may use: autograd through ``scores``, their values, or their arg-max alone.
    dtype : torch.dtype
        Of the forward pass; rows are cast to it.
    device : torch.device
        Where rows must lie. Nobody but the user moves a model.
    """

    @property
    def access(self) -> Access:
        """What an attack may use."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the forward pass."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        ...

    def scores(self, x: Tensor) -> Tensor:
        """Return logits or log-probabilities, shape (n, k), k ≥ 2, for rows x, shape (n, d)."""
        ...

    def digest(self) -> str:
        """Return a SHA-256 of what decides the scores, in hexadecimal."""
        ...


def require_wrapped(model: Classifier, who: str) -> None:
    """Refuse a model that is not behind the protocol.

    Raises
    ------
    InvalidInput
    """
    if not isinstance(model, Classifier):
        raise InvalidInput(
            f"{who} takes a wrapped model, not a {type(model).__name__}; call rafair.wrap(model)"
        )


def require_gradient(model: Classifier, who: str) -> None:
    """Refuse a model that cannot be differentiated.

    Raises
    ------
    InvalidInput
        If ``model`` is not wrapped, or gives less than gradients.
    """
    require_wrapped(model, who)
    if model.access != "gradient":
        raise InvalidInput(
            f"{who} needs gradients, but this model gives {model.access} only; "
            "use the attack square"
        )


def parse_device(name: str) -> torch.device:
    """Return a device that exists; ``"auto"`` is the GPU where there is one.

    Raises
    ------
    InvalidInput
        If the name is none of a device, or the device is not at hand.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise InvalidInput(f"device {name!r} is not available here; use cpu or auto") from error
    if device.type == "meta":
        raise InvalidInput("device 'meta' holds no numbers; use cpu or auto")
    return device
