"""∇ₓ l(y, f(x)) for many rows at once, each as a direction and the logarithm of a scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.problem.batching import AUTO, BatchSize, padded, rows_per_call
from rafair.problem.combinations import tiles
from rafair.problem.dense import dense_network
from rafair.problem.distinct import distinct
from rafair.problem.losses import SMALLEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.losses import Loss

__all__ = [
    "GradientRows",
    "counterpart_gradient_norms",
    "gradient_directions",
    "gradient_rows",
    "vjp",
]


@dataclass(frozen=True)
class GradientRows:
    """Gradients g = exp(log_scale) · direction of n rows.

    Attributes
    ----------
    direction : Tensor, shape (n, d), in the model's type
        It has the signs of the gradient.
    log_scale : Tensor, shape (n,), float64.
    loss : Tensor, shape (n,), float64.
    """

    direction: Tensor
    log_scale: Tensor
    loss: Tensor

    @property
    def full(self) -> Tensor:
        """The gradient g, shape (n, d), float64; tiny scales are raised so that none underflows."""
        return self.direction.to(torch.float64) * self.log_scale.clamp_min(SMALLEST).exp()[:, None]

    @property
    def log_norm(self) -> Tensor:
        """Log ‖g‖₁, shape (n,), float64; −∞ where the gradient is exactly zero."""
        return self.log_scale + self.direction.abs().sum(dim=1, dtype=torch.float64).log()


def _gradient_chunk(
    model: Classifier, rows: Tensor, y: Tensor, loss: Loss
) -> tuple[Tensor, Tensor, Tensor]:
    """Return scores, direction and log_scale of one batch of rows, (n, d), in the model's type."""
    scores, pull_back = vjp(model, rows)
    outer, log_scale = loss.derivative(scores, y)
    return scores, pull_back(outer), log_scale


def vjp(model: Classifier, rows: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return the scores of rows (n, d), and a function from u (n, k) to Σⱼ uⱼ ∂zⱼ/∂x (n, d)."""
    n, rows, network = len(rows), rows.detach(), dense_network(model)
    if network is not None and network.takes(rows):
        return network.vjp(rows)
    rows = padded(rows)
    scores, pull_back = _by_autograd(model, rows)

    def of_rows(outer: Tensor) -> Tensor:
        return pull_back(torch.nn.functional.pad(outer, (0, 0, 0, len(rows) - n)))[:n]

    return scores[:n], of_rows


def _by_autograd(model: Classifier, rows: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return the scores of rows, and a function from u (n, k) to Σⱼ uⱼ ∂zⱼ/∂x, by autograd."""
    rows.requires_grad_()
    with torch.enable_grad():
        scores = model.scores(rows)

    def pull_back(outer: Tensor) -> Tensor:
        with torch.enable_grad():  # a sum, since grad_outputs would import sympy: almost 1 s
            (direction,) = torch.autograd.grad((scores * outer).sum(), rows)
        return direction

    return scores.detach(), pull_back


def gradient_rows(
    model: Classifier, x: Tensor, y: Tensor, loss: Loss, batch_size: BatchSize = AUTO
) -> GradientRows:
    """Differentiate the loss of each row by its features.

    Parameters
    ----------
    model : Classifier
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
    loss : Loss
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Returns
    -------
    GradientRows
    """
    parts = []
    for rows, labels in _batches(model, x, y, batch_size):
        scores, direction, scale = _gradient_chunk(model, rows, labels, loss)
        parts.append((direction, scale, loss.value(scores, labels)))
    return GradientRows(*(_joined(part) for part in zip(*parts, strict=True)))


def gradient_directions(
    model: Classifier, x: Tensor, y: Tensor, loss: Loss, batch_size: BatchSize = AUTO
) -> Tensor:
    """Return only the directions of ``gradient_rows``, shape (n, d), in the model's type."""
    batches = _batches(model, x, y, batch_size)
    return _joined([_gradient_chunk(model, rows, labels, loss)[1] for rows, labels in batches])


def _batches(
    model: Classifier, x: Tensor, y: Tensor, batch_size: BatchSize
) -> Iterable[tuple[Tensor, Tensor]]:
    """Cut rows and labels into batches; the rows get the model's type and device."""
    device = model.device
    x, size = x.to(device, model.dtype), rows_per_call(batch_size, model)
    if len(x) <= size:
        return [(x, y)]
    return zip(torch.split(x, size), torch.split(y, size), strict=True)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(parts)) if len(parts) > 1 else parts[0]


def counterpart_gradient_norms(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    loss: Loss,
    batch_size: BatchSize = AUTO,
) -> Tensor:
    """Return log ‖∇ₓ l(y, f(v'))‖₁ for every v' in I(v), shape (n, m), float64.

    The gradients of seeds × counterparts are computed in batches of ``batch_size`` rows, and only
    their norms are kept. Seeds with the same I(v) and the same label are computed once.
    """
    people = x.to(model.device, model.dtype)
    alike = counterparts.take(people, torch.zeros_like(y))  # all with the same sensitive values
    first, kind = distinct(torch.cat([alike, y.unsqueeze(1).to(alike)], dim=1))
    people, y = people[first], y[first]
    size = rows_per_call(batch_size, model)
    norms = torch.empty(len(people), len(counterparts), dtype=torch.float64, device=model.device)
    for seeds, combinations in tiles(len(people), len(counterparts), size):
        tile = norms[seeds, combinations]
        rows = counterparts.rows(people[seeds], combinations)
        labels = y[seeds].repeat_interleave(tile.shape[1])
        _, direction, scale = _gradient_chunk(model, rows, labels, loss)
        total = direction.abs().sum(dim=1)  # linalg.vector_norm is twenty times slower here
        tile.copy_((scale + total.to(torch.float64).log()).view_as(tile))
    return norms if len(people) == len(x) else norms.index_select(0, kind)
