"""Linear bounds of a ReLU network over boxes: CROWN, dense and batched, in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.problem.network import ReluNetwork

__all__ = ["BOXES", "Bound", "linear_bound", "no_pattern"]

# Boxes to bound at once: with more, what is carried back no longer fits a core's cache (measured).
BOXES = 64
# Steps of Adam, and their size, on the lines below neurons; more raised bounds little further.
RAISES, RATE = 6, 0.3


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound of a margin over each of n boxes: the least over all rival classes.

    Attributes
    ----------
    lower : Tensor, shape (n,), float64
        No point of the box has a smaller margin z_y − z_j, for the rival j of the bound.
    slope : Tensor, shape (n, d), float64
        Coefficients of the linear function of the input that lies below that margin.
    plain_slope : Tensor, shape (n, d), float64
        The same without better lines: its least corner more often is a wrong decision (measured).
    sensitivity : Tensor, shape (n, d), float64
        How much of the relaxation's error each feature stands for.
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        1 where a neuron is active all over the box, −1 where it is idle, 0 where it is neither.
    gain : Tensor, shape (n,), float64
        How much better lines raised the bound; NaN where they were not looked for.
    others : Tensor, shape (n,), float64
        A bound of the margins over all other rivals, of which ``slope`` says nothing; infinite
        where there is none.
    """

    lower: Tensor
    slope: Tensor
    plain_slope: Tensor
    sensitivity: Tensor
    pattern: tuple[Tensor, ...]
    gain: Tensor
    others: Tensor


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """Lines below and above the ReLU of one layer: below · z, and above · z + shift."""

    below: Tensor  # (n, width)
    above: Tensor
    shift: Tensor

    @classmethod
    def over(cls, low: Tensor, high: Tensor, pattern: Tensor) -> _Relaxed:
        """Relax ReLU over [low, high]; of lines below an unstable one, 0 or z, the closer."""
        unstable = pattern == 0
        active = (pattern > 0).to(low.dtype)
        above = torch.where(unstable, high / torch.where(unstable, high - low, 1.0), active)
        below = torch.where(unstable, (high > -low).to(low.dtype), active)
        shift = torch.where(unstable, -above * low, 0.0)
        return cls(below, above, shift)

    def take(self, box: Tensor) -> _Relaxed:
        """Return the lines in these boxes."""
        parts = (self.below, self.above, self.shift)
        return _Relaxed(*(part.index_select(0, box) for part in parts))

    def but(self, below: Tensor) -> _Relaxed:
        """Return other lines below the neurons that are neither active nor idle."""
        unstable = self.shift > 0
        return replace(self, below=torch.where(unstable, below, self.below))


def no_pattern(network: ReluNetwork, n: int) -> tuple[Tensor, ...]:
    """Return the pattern of n boxes of which nothing is known."""
    return tuple(
        torch.zeros(n, len(bias), dtype=torch.int8, device=bias.device)
        for bias in network.biases[:-1]
    )


def linear_bound(
    network: ReluNetwork,
    low: Tensor,
    high: Tensor,
    y: Tensor,
    pattern: tuple[Tensor, ...],
    raise_from: Tensor | None = None,
    enough: Tensor | float = 0.0,
) -> Bound:
    """Bound the margin z_y − max over j ≠ y of z_j from below over n boxes.

    Neurons of a layer are bounded by going back to the input through relaxations of the layers
    before it; only those that ``pattern`` leaves open are.

    Parameters
    ----------
    low, high : Tensor, shape (n, d), float64
    y : Tensor of int64, shape (n,)
    pattern : tuple of Tensor of int8
        What a larger box has settled; it holds for a smaller one too.
    raise_from : Tensor, shape (n,), optional
        A bound that lies above this, but not above ``enough``, is raised by better lines below the
        neurons, found by gradient ascent; the bounds of the neurons themselves stay as they are.
    enough : Tensor, shape (n,), or float

    Source: Zhang et al., Efficient neural network robustness certification with general activation
    functions (CROWN), NeurIPS 2018; Singh et al. (DeepPoly), POPL 2019; Xu et al. (α-CROWN),
    ICLR 2021.
    """
    centre, radius = (low + high) / 2, (high - low) / 2
    relaxed: list[_Relaxed] = []
    settled = []
    for layer in range(network.n_hidden):
        below, above = _neurons(network, relaxed, centre, radius, pattern[layer])
        active = (pattern[layer] > 0) | (below >= 0)
        idle = ~active & ((pattern[layer] < 0) | (above <= 0))
        signs = active.to(torch.int8) - idle.to(torch.int8)
        relaxed.append(_Relaxed.over(below, above, signs))
        settled.append(signs)
    margins = _margins(network, centre, radius, y)
    lower, slope = margins.bounded(relaxed)
    gain, raised = torch.full_like(lower, torch.nan), slope.clone()
    if raise_from is not None and relaxed:
        goal = torch.as_tensor(enough).to(lower).expand(len(low))
        loose = (lower <= goal[margins.box]) & (lower > raise_from[margins.box])
        loose = loose.nonzero()[:, 0]
        better = margins.take(loose).raised([relu.take(margins.box[loose]) for relu in relaxed])
        gain[loose] = better[0] - lower[loose]
        lower[loose], raised[loose] = better
    rivals = len(network.biases[-1]) - 1
    least = lower.view(-1, rivals).argmin(dim=1)
    chosen = torch.arange(len(low), device=low.device) * rivals + least
    felt = margins.rows[chosen].abs()
    for layer in reversed(range(network.n_hidden)):
        felt = (felt * relaxed[layer].above) @ network.weights[layer].abs()
    others = lower.clone()
    others[chosen] = torch.inf
    return Bound(
        lower[chosen],
        raised[chosen],
        slope[chosen],
        felt,
        tuple(settled),
        gain[chosen],
        others.view(-1, rivals).amin(dim=1),
    )


@dataclass(frozen=True, eq=False)
class _Functions:
    """r linear functions of a hidden layer, or pairs of them, each over one of n boxes."""

    network: ReluNetwork
    rows: Tensor  # (r, width) or (2, r, width)
    const: Tensor  # (r,) or (2, r)
    box: Tensor  # (r,) of int64
    centre: Tensor  # (r, d), of the box
    radius: Tensor

    def take(self, index: Tensor) -> _Functions:
        """Return some of the functions."""
        parts = (self.rows, self.const, self.box, self.centre, self.radius)
        return _Functions(self.network, *(part[index] for part in parts))

    def bounded(self, relaxed: Sequence[_Relaxed]) -> tuple[Tensor, Tensor]:
        """Bound them from below through the lines of their boxes; see ``carried``."""
        lower, slope, _ = self.carried([relu.take(self.box) for relu in relaxed])
        return lower, slope

    def carried(self, relaxed: Sequence[_Relaxed]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Bound them from below by linear functions of the input.

        Parameters
        ----------
        relaxed : sequence of _Relaxed
            The layers before; r lines each, one for every function.

        Returns
        -------
        lower : Tensor, shape (r,) or (2, r)
        slope : Tensor, shape (r, d) or (2, r, d)
        passed : list of Tensor, shapes (r, n₁), …
            The functions as they reached each layer's ReLU.
        """
        rows, const, passed = self.rows, self.const, []
        for relu, weight, bias in reversed(self._layers(relaxed)):
            passed.append(rows)
            down = rows.clamp_max(0)
            const = const + (down * relu.shift).sum(dim=-1)
            rows = torch.addcmul(rows.clamp_min(0) * relu.below, down, relu.above)
            const = const + rows @ bias
            rows = rows @ weight
        lower = const + (rows * self.centre).sum(dim=-1) - (rows.abs() * self.radius).sum(dim=-1)
        return lower, rows, passed[::-1]

    def raised(self, relaxed: Sequence[_Relaxed]) -> tuple[Tensor, Tensor]:
        """Return the best of the bounds along some steps of Adam on the slopes of lower lines.

        The line below an unstable neuron may have any slope in [0, 1].
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
        self, relaxed: Sequence[_Relaxed], slope: Tensor, passed: Sequence[Tensor]
    ) -> list[Tensor]:
        """Differentiate the bounds by the slopes of the lower lines, layer by layer.

        The bound is attained at a corner; from there on, neurons follow the line that the function
        took, and a slope counts as much as the function has of its neuron, times the neuron's
        input.
        """
        value, gradients = self.centre - self.radius * slope.sign(), []
        for (relu, weight, bias), rows in zip(self._layers(relaxed), passed, strict=True):
            into = torch.addmm(bias, value, weight.T)
            gradients.append(rows.clamp_min(0) * into)
            value = torch.where(rows > 0, relu.below * into, relu.above * into + relu.shift)
        return gradients

    def _layers(self, relaxed: Sequence[_Relaxed]) -> list[tuple[_Relaxed, Tensor, Tensor]]:
        """Return the lines of each layer with its weight and bias."""
        return list(zip(relaxed, self.network.weights, self.network.biases, strict=False))


def _margins(network: ReluNetwork, centre: Tensor, radius: Tensor, y: Tensor) -> _Functions:
    """Return z_y − z_j for every j ≠ y, box by box: n · (k − 1) functions."""
    weight, bias = network.weights[-1], network.biases[-1]
    n, k = len(y), len(weight)
    rivals = torch.arange(k - 1, device=y.device).expand(n, -1)
    rivals = rivals + (rivals >= y.unsqueeze(1))
    rows, const = weight[y].unsqueeze(1) - weight[rivals], bias[y].unsqueeze(1) - bias[rivals]
    box = torch.arange(n, device=y.device).repeat_interleave(k - 1)
    return _Functions(network, rows.flatten(0, 1), const.flatten(), box, centre[box], radius[box])


def _neurons(
    network: ReluNetwork, relaxed: list[_Relaxed], centre: Tensor, radius: Tensor, pattern: Tensor
) -> tuple[Tensor, Tensor]:
    """Bound the inputs of a layer's ReLU; settled neurons get a bound of their own sign."""
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
