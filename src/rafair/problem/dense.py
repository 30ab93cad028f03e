"""Dense ReLU networks without autograd: the same bits in about half the time.

The gradient of a chain of linear layers and ReLU is a few matrix products. They need neither
autograd's graph nor the neurons that are 0 for every possible row.
"""

from __future__ import annotations

import itertools
import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from rafair.models.adapters.torch_module import TorchClassifier
from rafair.problem.kernels import (
    FUSED_ROWS,
    PROBES,
    Layer,
    Product,
    drawn,
    has_onednn,
    keep_memory,
    layer_kernel,
    linear_relu,
    product_kernel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rafair.models import Classifier

__all__ = ["DenseNetwork", "dense_network"]

Dense: TypeAlias = tuple[Tensor, Tensor | None]
Signature: TypeAlias = list[object]

# Activations above this could overflow float32 in the next layers.
LARGEST = 1e30
# A neuron that is 0 for every row with entries up to this is left out. Unit space ends at 1.
REACH = 2.0
# Rounding error of a bound, as a share of the sum of its terms' absolute values.
SLACK = 1e-5
# The kernels are slow on widths that are not a multiple of this.
LANES = 4


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """Linear layers with ReLU between them.

    Attributes
    ----------
    layers : tuple of (weight, bias), shapes (n_out, n_in) and (n_out,) or None
    layer_kernels : tuple of callables, one for each layer but the last
    product_kernels : tuple of callables, one for each layer but the first
    limit : float
        The network accepts rows with entries in [−limit, limit] only.
    """

    layers: tuple[Dense, ...]
    layer_kernels: tuple[Layer, ...]
    product_kernels: tuple[Product, ...]
    limit: float = math.inf

    @classmethod
    def plain(cls, layers: Sequence[Dense]) -> DenseNetwork:
        """Return a network that uses torch's own kernels, as autograd does."""
        n = len(layers) - 1
        return cls(tuple(layers), (linear_relu,) * n, (torch.mm,) * n)

    @classmethod
    def fused(cls, layers: Sequence[Dense], limit: float) -> DenseNetwork:
        """Return a network that uses oneDNN's kernels where they give the same bits as torch's."""
        forward = [layer_kernel(*w.shape, has_bias=b is not None) for w, b in layers[:-1]]
        backward = [product_kernel(*w.shape) for w, _ in layers[1:]]
        return cls(tuple(layers), tuple(forward), tuple(backward), limit)

    @property
    def n_activations(self) -> int:
        """Number of activations that one row has in all layers together."""
        return sum(len(weight) for weight, _ in self.layers)

    def takes(self, rows: Tensor) -> bool:
        """Tell whether the entries of rows, shape (n, d), lie within the limit."""
        if self.limit == math.inf:
            return True
        low, high = torch.aminmax(rows)
        return max(-float(low), float(high)) <= self.limit

    def scores(self, rows: Tensor) -> Tensor:
        """Return the scores of rows (n, d), shape (n, k); one logit z becomes the logits [0, z]."""
        for after in self._hidden(rows):
            rows = after
        return self._last(rows)

    def vjp(self, rows: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the scores of rows (n, d), and a function from u (n, k) to Σⱼ uⱼ ∂zⱼ/∂x (n, d)."""
        hidden = list(self._hidden(rows))
        scores = self._last(hidden[-1] if hidden else rows)
        n_raw = len(self.layers[-1][0])
        return scores, lambda outer: self._pulled_back(outer[:, -n_raw:], hidden)

    def _hidden(self, rows: Tensor) -> Iterator[Tensor]:
        """Yield the output of each hidden layer, after its ReLU, for rows (n, d)."""
        many = len(rows) >= FUSED_ROWS
        for (weight, bias), kernel in zip(self.layers[:-1], self.layer_kernels, strict=True):
            rows = (kernel if many else linear_relu)(rows, weight, bias)
            yield rows

    def _last(self, hidden: Tensor) -> Tensor:
        raw = functional.linear(hidden, *self.layers[-1])
        return torch.cat([torch.zeros_like(raw), raw], dim=1) if raw.shape[1] == 1 else raw

    def _pulled_back(self, outer: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        many = len(outer) >= FUSED_ROWS
        for (weight, _), kernel, active in zip(
            self.layers[:0:-1], self.product_kernels[::-1], hidden[::-1], strict=True
        ):
            outer = (kernel if many else torch.mm)(outer, weight)
            torch.ops.aten.threshold_backward.grad_input(outer, active, 0, grad_input=outer)
        return torch.mm(outer, self.layers[0][0])


@dataclass(frozen=True, eq=False)
class _Reading:
    """The network that was read from a model, and the signature of the model at that time.

    ``held`` keeps the memory of the weights, so that no new weights can get the same address.
    """

    signature: Signature
    network: DenseNetwork | None
    held: tuple[Tensor, ...]


_KNOWN: weakref.WeakKeyDictionary[Classifier, _Reading] = weakref.WeakKeyDictionary()


def dense_network(model: Classifier) -> DenseNetwork | None:
    """Return the network behind a model; None if it is not linear layers, ReLU and logits.

    A network is read once, and again after its layers or weights have changed. A change through
    ``weight.data`` is not noticed, because torch does not count it.
    """
    if type(model) is not TorchClassifier or model.body_output != "logits":
        return None
    body = model.body
    if type(body) is not nn.Sequential:
        return None
    signature = _signature(body)
    if signature is None:
        return None
    known = _KNOWN.get(model)
    if known is None or known.signature != signature:
        held = tuple(weight.detach() for weight in body.parameters())
        known = _Reading(signature, _read(body), held)
        _KNOWN[model] = known
    return known.network


def _signature(body: nn.Sequential) -> Signature | None:
    """Return the layers, and the address and version of each of their weights.

    None if a layer has a hook or a ``forward`` of its own, which may change what it computes.
    """
    found: list[object] = []
    # This runs for every batch, so it reads the dictionaries of torch's modules: their attributes
    # are slower.
    for layer in (body, *body._modules.values()):
        if layer is None or _is_changed(layer):
            return None
        found.append(layer)
        for weight in layer._parameters.values():
            if weight is not None:
                version = 0 if weight.is_inference() else weight._version
                found.append((weight.data_ptr(), version))
    return found


def _is_changed(module: nn.Module) -> bool:
    """Tell whether a module has hooks, or a ``forward`` of its own."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in module.__dict__
    )


def _read(body: nn.Sequential) -> DenseNetwork | None:
    """Return the network of linear layers with ReLU between them; None for all other chains."""
    linear = []
    for place, layer in enumerate(body):
        if type(layer) is not (nn.ReLU if place % 2 else nn.Linear):
            return None
        if isinstance(layer, nn.Linear):
            linear.append(layer)
    return _network(linear) if len(body) % 2 else None


def _network(linear: Sequence[nn.Linear]) -> DenseNetwork | None:
    """Read the layers; None if their shapes, types or devices do not fit together."""
    kinds = {(w.dtype, w.device, w.is_contiguous()) for w in (layer.weight for layer in linear)}
    fits = all(a.out_features == b.in_features for a, b in itertools.pairwise(linear))
    if not fits or len(kinds) > 1 or not linear[0].weight.is_contiguous():
        return None
    layers = [(layer.weight.detach(), _detached(layer.bias)) for layer in linear]
    plain, weight = DenseNetwork.plain(layers), layers[0][0]
    if weight.device.type != "cpu":
        return plain
    keep_memory()
    limit = min(_room(layers), REACH)
    if weight.dtype != torch.float32 or not has_onednn() or limit < REACH:
        return plain
    fewer = DenseNetwork.fused(_awake(layers), limit)
    return fewer if _alike(plain, fewer) else DenseNetwork.fused(layers, limit)


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


def _room(layers: Sequence[Dense]) -> float:
    """Return how large a row's entries may be for all activations to stay below ``LARGEST``.

    oneDNN's ReLU would hide an overflow. For |x| ≤ r, every activation of a layer is at most
    a·r + b. Each layer multiplies a and b by the largest row sum of |weight|, and adds the largest
    |bias| to b. The result is −1 if a weight is NaN or infinite, or no row is safe.
    """
    a, b, room = 1.0, 0.0, math.inf
    for weight, bias in layers:
        norm = float(weight.double().abs().sum(dim=1).max())
        a, b = norm * a, norm * b + (0.0 if bias is None else float(bias.double().abs().max()))
        if not (math.isfinite(a) and b < LARGEST):
            return -1.0
        room = min(room, (LARGEST - b) / a if a else math.inf)
    return room


def _awake(layers: Sequence[Dense]) -> list[Dense]:
    """Leave out neurons that are 0 for every row with entries up to ``REACH``, by interval bounds.

    These neurons add exact zeros, forwards and backwards. The last hidden layer keeps all of its
    neurons: in products with few columns the order of summation depends on the number of terms.
    """
    if len(layers) < 3:
        return list(layers)
    found: list[Dense] = []
    middle = torch.zeros(layers[0][0].shape[1], dtype=torch.float64)
    radius = torch.full_like(middle, REACH)
    columns = torch.arange(len(middle))
    for weight, bias in layers[:-2]:
        low, high = _range(weight, bias, middle, radius)
        rows = _first(high)
        found.append((weight[rows][:, columns], None if bias is None else bias[rows]))
        middle, radius, columns = (high + low) / 2, (high - low) / 2, rows
    weight, bias = layers[-2]
    return [*found, (weight[:, columns].contiguous(), bias), layers[-1]]


def _range(
    weight: Tensor, bias: Tensor | None, middle: Tensor, radius: Tensor
) -> tuple[Tensor, Tensor]:
    """Return bounds of a layer's outputs, after ReLU, for rows within ``radius`` of ``middle``."""
    wide = weight.double()
    offset = torch.zeros(len(wide), dtype=torch.float64) if bias is None else bias.double()
    centre, spread = wide @ middle + offset, wide.abs() @ radius
    slack = SLACK * (wide.abs() @ (middle.abs() + radius) + offset.abs())
    return (centre - spread - slack).clamp_min(0), (centre + spread + slack).clamp_min(0)


def _first(high: Tensor) -> Tensor:
    """Return the neurons that can be positive, in order, filled up to a multiple of ``LANES``."""
    n = -(-int((high > 0).sum()) // LANES) * LANES
    return high.argsort(descending=True, stable=True)[: max(n, LANES)].sort().values


def _alike(a: DenseNetwork, b: DenseNetwork) -> bool:
    """Tell whether two networks give the same bits for random rows of unit space."""
    for n in (FUSED_ROWS // 8, *PROBES):
        rows = drawn(n, a.layers[0][0].shape[1]).sigmoid()
        (z, pull), (same_z, same_pull) = a.vjp(rows), b.vjp(rows)
        outer = drawn(*z.shape)
        if not torch.equal(z, same_z) or not torch.equal(pull(outer), same_pull(outer)):
            return False
    return True
