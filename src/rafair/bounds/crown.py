"""Linear bounds of a network over boxes: CROWN, dense and batched, in float64.

The margin here is z_y − z_j, positive where the decision is right; the loss ``Margin`` has the
opposite sign. CROWN replaces each activation by two lines, one below and one above it. In a box, a
ReLU is active if its input is never negative, idle if its input is never positive, else unstable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rafair.bounds.bound import Bound
from rafair.bounds.compiled import compiled_bound, is_compiled
from rafair.bounds.relaxation import Relaxation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.bounds.network import LayeredNetwork

__all__ = ["BOXES", "linear_bound"]

# Boxes bounded at once. What torch needs for more of them no longer fits into fast memory.
BOXES = 256
# Number and size of the steps of Adam on the slopes of the lower lines. More steps raised the
# bounds only a little.
RAISES, RATE = 6, 0.3


def linear_bound(
    network: LayeredNetwork,
    low: Tensor,
    high: Tensor,
    y: Tensor,
    pattern: tuple[Tensor, ...],
    raise_from: Tensor | None = None,
    enough: Tensor | float = 0.0,
    rivals: Tensor | None = None,
) -> Bound:
    """Bound the margin z_y − max over j of z_j from below over n boxes, j all rivals of y.

    The input of a neuron is bounded by a linear function of the network's input, through the
    relaxations of the layers before. This is done only for neurons that are 0 in ``pattern``.

    Parameters
    ----------
    network : LayeredNetwork
    low, high : Tensor, shape (n, d), float64
        The corners of the boxes, in the network's input space.
    y : Tensor of int64, shape (n,)
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        The neurons known to be active or idle, from a larger box that contains this one; see
        ``Bound`` and ``no_pattern``.
    raise_from : Tensor, shape (n,), optional
        A bound above this number and not above ``enough`` is raised: gradient ascent improves the
        slopes of the lower lines. The bounds of the neurons stay as they are. By default no bound
        is raised; in a network with other activations than ReLU none is.
    enough : Tensor, shape (n,), or float
        The bound that proves a box.
    rivals : Tensor of int64, shape (n, r), optional
        The classes j; by default every class but y.

    Returns
    -------
    Bound

    Source: Zhang et al., Efficient neural network robustness certification with general activation
    functions (CROWN), NeurIPS 2018; Singh et al. (DeepPoly), POPL 2019; Xu et al. (α-CROWN),
    ICLR 2021.
    """
    rivals = _all_rivals(network, y) if rivals is None else rivals
    goal = torch.as_tensor(enough).to(low).expand(len(low))
    can_raise = network.n_hidden and network.is_relu  # nothing of a linear model can be raised
    start = raise_from if can_raise else None
    start = torch.full_like(low[:, 0], torch.inf) if start is None else start
    windows = torch.stack([start, goal], dim=1)
    problem = (network, network.inside(low, high), y, rivals, pattern, windows)
    is_fast = network.is_relu and is_compiled(low)
    found = compiled_bound(*problem, (RAISES, RATE)) if is_fast else _by_torch(*problem)
    return network.outside(found, low, high)


def _by_torch(
    network: LayeredNetwork,
    corners: tuple[Tensor, Tensor],
    y: Tensor,
    rivals: Tensor,
    pattern: tuple[Tensor, ...],
    windows: Tensor,
) -> Bound:
    """Bound margins over n boxes; see ``compiled_bound``, which does the same."""
    low, high = corners
    centre, radius = (low + high) / 2, (high - low) / 2
    relaxed, settled = _relaxed(network, centre, radius, pattern)
    margins = _margins(network, centre, radius, y, rivals)
    lower, slope = margins.bounded(relaxed)
    gain, raised = torch.full_like(lower, torch.nan), slope.clone()
    start, goal = windows[margins.box].unbind(dim=1)
    loose = ((lower <= goal) & (lower > start)).nonzero()[:, 0]
    if len(loose):
        better = margins.take(loose).raised([relu.take(margins.box[loose]) for relu in relaxed])
        gain[loose] = better[0] - lower[loose]
        lower[loose], raised[loose] = better
    n, r = rivals.shape
    least = lower.view(n, r).argmin(dim=1)
    chosen = torch.arange(n, device=y.device) * r + least
    felt = margins.rows[chosen].abs()
    for layer in reversed(range(network.n_hidden)):
        steep = torch.maximum(relaxed[layer].above.abs(), relaxed[layer].below.abs())
        slopes = relaxed[layer].above if network.is_relu else steep
        felt = (felt * slopes) @ network.weights[layer].abs()
    others = lower.clone()
    others[chosen] = torch.inf
    return Bound(
        lower[chosen],
        raised[chosen],
        slope[chosen],
        felt,
        settled,
        gain[chosen],
        others.view(n, r).amin(dim=1),
    )


def _relaxed(
    network: LayeredNetwork, centre: Tensor, radius: Tensor, pattern: tuple[Tensor, ...]
) -> tuple[list[Relaxation], tuple[Tensor, ...]]:
    """Return the lines of each hidden layer over n boxes, and the pattern; see ``Bound``."""
    relaxed: list[Relaxation] = []
    if not network.is_relu:
        for blocks in network.activations:
            relaxed.append(Relaxation.of(blocks, *_inputs(network, relaxed, centre, radius)))
        return relaxed, ()
    settled = []
    for known in pattern:
        below, above = _neurons(network, relaxed, centre, radius, known)
        active = (known > 0) | (below >= 0)
        idle = ~active & ((known < 0) | (above <= 0))
        signs = active.to(torch.int8) - idle.to(torch.int8)
        relaxed.append(Relaxation.over(below, above, signs))
        settled.append(signs)
    return relaxed, tuple(settled)


@dataclass(frozen=True, eq=False)
class _Functions:
    """r linear functions of a hidden layer, or r pairs of them, each over one of n boxes."""

    network: LayeredNetwork
    rows: Tensor  # (r, width) or (2, r, width)
    const: Tensor  # (r,) or (2, r)
    box: Tensor  # (r,) of int64
    centre: Tensor  # (r, d), of the function's box
    radius: Tensor  # (r, d), half of the box's width

    def take(self, index: Tensor) -> _Functions:
        """Return some of the functions."""
        parts = (self.rows, self.const, self.box, self.centre, self.radius)
        return _Functions(self.network, *(part[index] for part in parts))

    def bounded(self, relaxed: Sequence[Relaxation]) -> tuple[Tensor, Tensor]:
        """Bound the functions from below by the lines of their boxes; see ``carried``."""
        lower, slope, _ = self.carried([relu.take(self.box) for relu in relaxed])
        return lower, slope

    def carried(self, relaxed: Sequence[Relaxation]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Bound the functions from below by linear functions of the input.

        Parameters
        ----------
        relaxed : sequence of Relaxation
            The lines of the layers before this one, a row for each of the r functions.

        Returns
        -------
        lower : Tensor, shape (r,) or (2, r)
            The least value of the linear function over the box.
        slope : Tensor, shape (r, d) or (2, r, d)
            The coefficients of the linear function.
        passed : list of Tensor, shapes (r, n₁), …
            The coefficients of the outputs of each hidden layer.
        """
        rows, const, passed = self.rows, self.const, []
        for relu, weight, bias in reversed(self._layers(relaxed)):
            passed.append(rows)
            up, down = rows.clamp_min(0), rows.clamp_max(0)
            const = const + (down * relu.shift).sum(dim=-1)
            if not self.network.is_relu:  # the lower line of a ReLU passes through 0
                const = const + (up * relu.base).sum(dim=-1)
            rows = torch.addcmul(up * relu.below, down, relu.above)
            const = const + rows @ bias
            rows = rows @ weight
        lower = const + (rows * self.centre).sum(dim=-1) - (rows.abs() * self.radius).sum(dim=-1)
        return lower, rows, passed[::-1]

    def raised(self, relaxed: Sequence[Relaxation]) -> tuple[Tensor, Tensor]:
        """Return the best bounds that some steps of Adam on the slopes of the lower lines find.

        The lower line of an unstable neuron may have any slope in [0, 1].
        """
        best = torch.full_like(self.const, -torch.inf)
        best_slope = torch.zeros_like(self.centre)
        mean, square = ([torch.zeros_like(relu.below) for relu in relaxed] for _ in range(2))
        for step in range(1, RAISES + 2):
            lower, slope, passed = self.carried(relaxed)
            best_slope = torch.where((lower > best).unsqueeze(1), slope, best_slope)
            best = torch.maximum(lower, best)
            lines = []
            for place, gradient in enumerate(self._gradients(relaxed, slope, passed)):
                mean[place] = torch.lerp(mean[place], gradient, 0.1)
                square[place] = torch.lerp(square[place], gradient.square(), 0.001)
                size = (square[place] / (1 - 0.999**step)).sqrt() + 1e-12
                change = RATE * mean[place] / (1 - 0.9**step) / size
                lines.append((relaxed[place].below + change).clamp(0, 1))
            relaxed = [relu.but(line) for relu, line in zip(relaxed, lines, strict=True)]
        return best, best_slope

    def _gradients(
        self, relaxed: Sequence[Relaxation], slope: Tensor, passed: Sequence[Tensor]
    ) -> list[Tensor]:
        """Differentiate the bounds by the slopes of the lower lines, layer by layer.

        A bound is the value of its linear function at one corner of the box. This corner is carried
        forwards: each neuron takes the line that the bound used for it, the lower line if the
        neuron's coefficient is positive, else the upper one. The derivative by the slope of a lower
        line is the neuron's positive coefficient times the neuron's input.
        """
        value, gradients = self.centre - self.radius * slope.sign(), []
        for (relu, weight, bias), rows in zip(self._layers(relaxed), passed, strict=True):
            into = torch.addmm(bias, value, weight.T)
            gradients.append(rows.clamp_min(0) * into)
            value = torch.where(rows > 0, relu.below * into, relu.above * into + relu.shift)
        return gradients

    def _layers(self, relaxed: Sequence[Relaxation]) -> list[tuple[Relaxation, Tensor, Tensor]]:
        """Return the lines of each hidden layer, with the layer's weight and bias."""
        return list(zip(relaxed, self.network.weights, self.network.biases, strict=False))


def _all_rivals(network: LayeredNetwork, y: Tensor) -> Tensor:
    """Return every class but y, shape (n, k − 1)."""
    rivals = torch.arange(len(network.biases[-1]) - 1, device=y.device).expand(len(y), -1)
    return rivals + (rivals >= y.unsqueeze(1))


def _margins(
    network: LayeredNetwork, centre: Tensor, radius: Tensor, y: Tensor, rivals: Tensor
) -> _Functions:
    """Return the margins z_y − z_j for every rival j, n · r functions, box by box."""
    weight, bias = network.weights[-1], network.biases[-1]
    n, r = rivals.shape
    rows, const = weight[y].unsqueeze(1) - weight[rivals], bias[y].unsqueeze(1) - bias[rivals]
    box = torch.arange(n, device=y.device).repeat_interleave(r)
    return _Functions(network, rows.flatten(0, 1), const.flatten(), box, centre[box], radius[box])


def _neurons(
    network: LayeredNetwork,
    relaxed: list[Relaxation],
    centre: Tensor,
    radius: Tensor,
    pattern: Tensor,
) -> tuple[Tensor, Tensor]:
    """Bound the inputs of a layer's ReLUs, each (n, width).

    A neuron that ``pattern`` says is active or idle gets arbitrary bounds of the right sign.
    """
    layer = len(relaxed)
    weight, bias = network.weights[layer], network.biases[layer]
    if layer == 0:
        middle, reach = torch.addmm(bias, centre, weight.T), radius @ weight.abs().T
        return middle - reach, middle + reach
    below = torch.where(pattern > 0, 0.0, -1.0).to(centre.dtype)
    above = torch.where(pattern < 0, 0.0, 1.0).to(centre.dtype)
    box, neuron = (pattern == 0).nonzero(as_tuple=True)
    if len(box):
        rows, const = weight[neuron], bias[neuron]
        rows, const = torch.stack([rows, -rows]), torch.stack([const, -const])
        functions = _Functions(network, rows, const, box, centre[box], radius[box])
        least, _ = functions.bounded(relaxed)
        below[box, neuron], above[box, neuron] = least[0], -least[1]
    return below, above


def _inputs(
    network: LayeredNetwork, relaxed: list[Relaxation], centre: Tensor, radius: Tensor
) -> tuple[Tensor, Tensor]:
    """Bound the inputs of a layer's activations, each (n, width), whatever they are."""
    anything = torch.zeros(len(centre), len(network.biases[len(relaxed)]), dtype=torch.int8)
    below, above = _neurons(network, relaxed, centre, radius, anything.to(centre.device))
    return torch.minimum(below, above), torch.maximum(below, above)  # of a point, up to rounding
