"""Dense networks with (leaky) ReLU without autograd, by the kernels of ``rafair.kernels``."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.models import LeakyGradient
from rafair.models.adapters.torch_module import TorchClassifier
from rafair.problem.compiling import compiles
from rafair.problem.threads import shared, torch_asleep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.kernels.network import Network
    from rafair.models import Classifier

__all__ = ["DenseNetwork", "dense_network", "path", "undisturbed"]

Dense: TypeAlias = tuple[Tensor, Tensor]
Signature: TypeAlias = list[object]

# Activations above this could overflow float32 in the next layers.
LARGEST = 1e30
# Rows that a thread computes before it asks for more.
PIECE = 2048
# The slope below 0 of the activations that the kernels know: one number, or one per neuron.
SLOPES: dict[type[nn.Module], Callable[[Any], Tensor]] = {
    nn.ReLU: lambda _: torch.zeros(1),
    nn.LeakyReLU: lambda layer: torch.tensor([layer.negative_slope], dtype=torch.float32),
    nn.PReLU: lambda layer: layer.weight,
}


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """Linear layers with ReLU, LeakyReLU or PReLU between them, in float32 on the CPU.

    The numbers of a row are the same whatever the other rows and the number of threads.

    Attributes
    ----------
    layers : tuple of (weight, bias), shapes (n_out, n_in) and (n_out,)
        A single logit z is stored as the logits [0, z].
    slopes : tuple of Tensor, shapes (2, n_out)
        Of each hidden layer; see ``Network``.
    limit : float
        The network accepts rows with entries in [−limit, limit] only.
    """

    layers: tuple[Dense, ...]
    slopes: tuple[Tensor, ...]
    limit: float

    @cached_property
    def packed(self) -> Network:
        """The network in the form of the kernels."""
        from rafair.kernels.network import packed

        pairs = [(weight.numpy(), bias.numpy()) for weight, bias in self.layers]
        return packed(pairs, [slopes.numpy() for slopes in self.slopes])

    def leaky(self, slope: float) -> DenseNetwork:
        """Return the network that goes back through ReLU as if it had a slope below 0."""
        if slope not in self._leaky:
            bent = [torch.stack([own, back.where(own != 0, slope)]) for own, back in self.slopes]
            self._leaky[slope] = replace(self, slopes=tuple(bent))
        return self._leaky[slope]

    @cached_property
    def _leaky(self) -> dict[float, DenseNetwork]:
        """The networks that were asked for."""
        return {}

    def takes(self, rows: Tensor) -> bool:
        """Tell whether the entries of rows, shape (n, d), lie within the limit."""
        low, high = torch.aminmax(rows)
        return max(-float(low), float(high)) <= self.limit

    def scores(self, rows: Tensor) -> Tensor:
        """Return the scores of rows (n, d), shape (n, k)."""
        return self.vjp(rows)[0]

    def vjp(self, rows: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the scores of rows (n, d), and a function from u (n, k) to Σⱼ uⱼ ∂zⱼ/∂x (n, d)."""
        from rafair.kernels import rows as kernels
        from rafair.kernels.passes import workspace

        network, n_blocks = self.packed, -(-len(rows) // kernels.LANES)
        scores = torch.empty(len(rows), len(self.layers[-1][0]))
        hidden = int(network.neuron_starts[-2])
        patterns = torch.empty(n_blocks, hidden, dtype=torch.int32).numpy().view("uint32")
        given = rows.contiguous().numpy()
        per_thread = max(1, PIECE // kernels.LANES)

        def forward(first: int, last: int) -> None:
            work = workspace(network)
            kernels.scores(network, work, given, first, last, scores.numpy(), patterns)

        def pull_back(outer: Tensor) -> Tensor:
            gradients, factors = torch.empty_like(rows), outer.contiguous().numpy()

            def backward(first: int, last: int) -> None:
                found = gradients.numpy()
                work = workspace(network)
                kernels.pull_back(network, work, factors, patterns, first, last, found)

            shared(backward, n_blocks, per_thread)
            return gradients

        shared(forward, n_blocks, per_thread)
        return scores, pull_back


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
    """Return the network behind a model; None if it is not linear layers, (leaky) ReLU and logits.

    A network is read once, and again after its layers or weights have changed. A change through
    ``weight.data`` is not noticed, because torch does not count it.
    """
    if type(model) is LeakyGradient:
        network = dense_network(model.model)
        return None if network is None else network.leaky(model.slope)
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


def path(model: Classifier) -> Literal["kernels", "torch"]:
    """Tell what differentiates a model: the kernels, or torch."""
    return "torch" if dense_network(model) is None else "kernels"


def undisturbed(model: Classifier) -> AbstractContextManager[None]:
    """Let torch's threads sleep within a block if kernels compute a model; see ``torch_asleep``."""
    return nullcontext() if dense_network(model) is None else torch_asleep()


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
        found += (layer, layer.__dict__.get("negative_slope"))
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
    """Return the network of a chain; None unless linear layers and activations take turns."""
    chain = list(body)
    linear = [layer for layer in chain[::2] if type(layer) is nn.Linear]
    bent = [layer for layer in chain[1::2] if type(layer) in SLOPES]
    if len(linear) + len(bent) != len(chain) or len(linear) != len(bent) + 1:
        return None
    return _network(linear, bent)


def _network(linear: Sequence[nn.Linear], bent: Sequence[nn.Module]) -> DenseNetwork | None:
    """Read the layers; None if their shapes, types or devices are not those of the kernels."""
    weights = [layer.weight.detach() for layer in linear]
    below = [SLOPES[type(layer)](layer).detach() for layer in bent]
    fits = all(len(a) == b.shape[1] for a, b in itertools.pairwise(weights))
    fits &= all(len(b) in {1, len(a)} for a, b in zip(weights, below, strict=False))
    held = (*weights, *below)
    if not fits or any(w.dtype != torch.float32 or w.device.type != "cpu" for w in held):
        return None
    biases = [_bias(layer) for layer in linear]
    if len(weights[-1]) == 1:
        weights[-1] = torch.cat([torch.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = torch.cat([torch.zeros_like(biases[-1]), biases[-1]])
    layers = tuple(zip(weights, biases, strict=True))
    slopes = tuple(b.expand(2, len(a)) for a, b in zip(weights, below, strict=False))
    limit = _room(layers, slopes)
    return DenseNetwork(layers, slopes, limit) if limit > 0 and compiles("rows", "walk") else None


def _bias(layer: nn.Linear) -> Tensor:
    bias: Tensor | None = layer.bias
    return torch.zeros(layer.out_features) if bias is None else bias.detach()


def _room(layers: Sequence[Dense], slopes: Sequence[Tensor]) -> float:
    """Return how large a row's entries may be for all activations to stay below ``LARGEST``.

    The kernels' ReLU would hide an overflow. For |x| ≤ r, every activation of a layer is at most
    a·r + b. Each layer multiplies a and b by the largest row sum of |weight|, adds the largest
    |bias| to b, and multiplies both by the largest slope. The result is −1 if a weight is NaN or
    infinite, or no row is safe.
    """
    a, b, room = 1.0, 0.0, math.inf
    steepest = [float(each.double().abs().max().clamp_min(1.0)) for each in slopes]
    for (weight, bias), slope in zip(layers, [*steepest, 1.0], strict=True):
        norm = float(weight.double().abs().sum(dim=1).max())
        a, b = slope * norm * a, slope * (norm * b + float(bias.double().abs().max()))
        if not (math.isfinite(a) and b < LARGEST):
            return -1.0
        room = min(room, (LARGEST - b) / a if a else math.inf)
    return room
