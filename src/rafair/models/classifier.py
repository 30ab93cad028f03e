"""The protocol that every wrapped model implements."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from rafair.errors import InvalidInput

__all__ = ["Access", "Classifier", "parse_device", "require_gradient", "require_wrapped"]

Access: TypeAlias = Literal["gradient", "scores", "labels"]


@runtime_checkable
class Classifier(Protocol):
    """A model that reads unit-space rows.

    Attributes
    ----------
    access : {"gradient", "scores", "labels"}
        What an attack may use: autograd through ``scores``, only their values, or only their
        arg-max.
    dtype : torch.dtype
        Floating-point type of the forward pass; the caller casts rows to it.
    device : torch.device
        Device of the model, on which rows must be. rafair never moves the user's model.
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
        """Device of the model."""
        ...

    def scores(self, x: Tensor) -> Tensor:
        """Return logits or log-probabilities, shape (n, k), k ≥ 2, for rows x, shape (n, d)."""
        ...

    def digest(self) -> str:
        """Return a SHA-256 of everything that determines the scores, in hexadecimal."""
        ...


def require_wrapped(model: Classifier, who: str) -> None:
    """Refuse a model that is not wrapped.

    Raises
    ------
    InvalidInput
        If ``model`` does not implement ``Classifier``.
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
        If ``model`` is not wrapped, or its ``access`` is not ``"gradient"``.
    """
    require_wrapped(model, who)
    if model.access != "gradient":
        raise InvalidInput(
            f"{who} needs gradients, but this model gives {model.access} only; "
            "use the attack square"
        )


def parse_device(name: str) -> torch.device:
    """Return the named device; ``"auto"`` means the GPU if there is one, else the CPU.

    Raises
    ------
    InvalidInput
        If no device has this name, or the device is not available or holds no numbers.
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
