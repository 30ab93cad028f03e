"""Dense ReLU networks without autograd, by the kernels of ``rafair.kernels``."""

from __future__ import annotations

import itertools
import math
import weakref
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.models.adapters.torch_module import TorchClassifier
from rafair.problem.compiling import compiles
from rafair.problem.threads import shared, torch_asleep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rafair.kernels.network import Network
    from rafair.models import Classifier

__all__ = ["DenseNetwork", "dense_network", "path", "undisturbed"]

Dense: TypeAlias = tuple[Tensor, Tensor]
Signature: TypeAlias = list[object]

# Activations above this could overflow float32 in the next layers.
LARGEST = 1e30
# Rows that a thread computes before it asks for more.
PIECE = 2048


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """Linear layers with ReLU between them, in float32 on the CPU.

    The numbers of a row are the same whatever the other rows and the number of threads.

    Attributes
    ----------
    layers : tuple of (weight, bias), shapes (n_out, n_in) and (n_out,)
        A single logit z is stored as the logits [0, z].
    limit : float
        The network accepts rows with entries in [−limit, limit] only.
    """

    layers: tuple[Dense, ...]
    limit: float

    @cached_property
    def packed(self) -> Network:
        """The network in the form of the kernels."""
        from rafair.kernels.network import packed

        return packed([(weight.numpy(), bias.numpy()) for weight, bias in self.layers])

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
    """Read the layers; None if their shapes, types or devices are not those of the kernels."""
    weights = [layer.weight.detach() for layer in linear]
    fits = all(len(a) == b.shape[1] for a, b in itertools.pairwise(weights))
    if not fits or any(w.dtype != torch.float32 or w.device.type != "cpu" for w in weights):
        return None
    biases = [_bias(layer) for layer in linear]
    if len(weights[-1]) == 1:
        weights[-1] = torch.cat([torch.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = torch.cat([torch.zeros_like(biases[-1]), biases[-1]])
    layers = tuple(zip(weights, biases, strict=True))
    limit = _room(layers)
    return DenseNetwork(layers, limit) if limit > 0 and compiles("rows", "walk") else None


def _bias(layer: nn.Linear) -> Tensor:
    bias: Tensor | None = layer.bias
    return torch.zeros(layer.out_features) if bias is None else bias.detach()


def _room(layers: Sequence[Dense]) -> float:
    """Return how large a row's entries may be for all activations to stay below ``LARGEST``.

    The kernels' ReLU would hide an overflow. For |x| ≤ r, every activation of a layer is at most
    a·r + b. Each layer multiplies a and b by the largest row sum of |weight|, and adds the largest
    |bias| to b. The result is −1 if a weight is NaN or infinite, or no row is safe.
    """
    a, b, room = 1.0, 0.0, math.inf
    for weight, bias in layers:
        norm = float(weight.double().abs().sum(dim=1).max())
        a, b = norm * a, norm * b + float(bias.double().abs().max())
        if not (math.isfinite(a) and b < LARGEST):
            return -1.0
        room = min(room, (LARGEST - b) / a if a else math.inf)
    return room
