"""Follows a torch module from its input to its logits, layer by layer.

A module that is no plain sequence of layers is traced. Values that are only moved (selected,
joined, reshaped) or scaled by constants are linear layers as well. What is looked up (an embedding,
a one-hot code) is an input of the layers beside the columns; see ``lookups``.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from rafair.bounds.embeddings import lookups_of
from rafair.bounds.layering import Rewriting, unknown
from rafair.bounds.lookups import Lookups
from rafair.bounds.recording import Recording
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.bounds.layering import Blocks, Chain
    from rafair.bounds.lookups import Lookup

__all__ = ["Layers", "layers_of"]

# Functions and methods that do what a layer does; their other arguments are the layer's.
FUNCTIONS: dict[Any, type[nn.Module]] = {
    **dict.fromkeys((torch.relu, functional.relu, "relu"), nn.ReLU),
    functional.leaky_relu: nn.LeakyReLU,
    functional.relu6: nn.ReLU6,
    functional.hardtanh: nn.Hardtanh,
    functional.hardsigmoid: nn.Hardsigmoid,
    **dict.fromkeys((torch.tanh, functional.tanh, "tanh"), nn.Tanh),
    **dict.fromkeys((torch.sigmoid, functional.sigmoid, "sigmoid"), nn.Sigmoid),
    functional.gelu: nn.GELU,
    functional.silu: nn.SiLU,
    functional.mish: nn.Mish,
    functional.elu: nn.ELU,
    functional.celu: nn.CELU,
    **dict.fromkeys((torch.selu, functional.selu), nn.SELU),
    functional.softplus: nn.Softplus,
    functional.softsign: nn.Softsign,
    functional.hardswish: nn.Hardswish,
    functional.logsigmoid: nn.LogSigmoid,
}
SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")


# What changes the type of numbers only.
CASTS = {"float", "double", "to", "type"}


@dataclass(frozen=True, eq=False)
class Layers:
    """What ``layers_of`` finds.

    Attributes
    ----------
    chains : list of Chain
        Linear layers: before the first activation, between two, behind the last.
    activations : list of Blocks
        The activations after each chain but the last.
    lookups : Lookups or None
        What the first chain reads beside the columns.
    dtype : torch.dtype, optional
        The coarsest type of a number, if it is known.
    """

    chains: list[Chain]
    activations: list[Blocks]
    lookups: Lookups | None = None
    dtype: torch.dtype | None = None


def layers_of(body: nn.Module, dtype: torch.dtype, n_columns: int | None = None) -> Layers:
    """Return a module as linear layers with activations between them.

    Parameters
    ----------
    body : torch.nn.Module
    dtype : torch.dtype
        Type of the rows that it reads.
    n_columns : int, optional
        Number of columns of a row; by default what the first linear layer reads.

    Raises
    ------
    InvalidInput
        If the module has other parts than linear layers, batch normalisation in evaluation mode,
        sums, activations of one number and lookups by one column; or if it has the latter, and the
        number of columns is not given.
    """
    first = next((module for module in body.modules() if isinstance(module, nn.Linear)), None)
    if first is None:
        raise InvalidInput("certificates need linear layers; this network has none")
    device, layers = first.weight.device, _in_sequence(body)
    if layers is not None:
        rewriting = Rewriting(first.in_features, device)
        last: Chain = ()
        for layer in layers:
            last = rewriting.after(layer, last, others=())[0]
        return Layers(rewriting.ended(last), rewriting.blocks)
    nameless = InvalidInput("certificates of embeddings need the data's schema; pass it to wrap")
    if n_columns is None and any(isinstance(part, nn.Embedding) for part in body.modules()):
        raise nameless
    width = first.in_features if n_columns is None else n_columns
    found = _Traced.of(Recording.of(body, width, dtype, device))
    if found.lookups and n_columns is None:
        raise nameless
    chains = found.rewriting.ended(found.follow())
    return Layers(chains, found.rewriting.blocks, found.all_lookups, found.recording.coarsest)


def _in_sequence(module: nn.Module) -> list[nn.Module] | None:
    """Return the layers of nested ``Sequential`` modules; None if it holds other containers."""
    if isinstance(module, nn.Sequential):
        several = [_in_sequence(child) for child in module]
        return None if None in several else [layer for some in several for layer in some or ()]
    is_layer = not list(module.children()) and type(module).__module__.startswith("torch.nn")
    return [module] if is_layer else None


@dataclass(frozen=True, eq=False)
class _Traced:
    """A traced module, and the values that are known in it."""

    recording: Recording
    lookups: dict[fx.Node, list[Lookup]]
    rewriting: Rewriting
    values: dict[fx.Node, Chain]

    @classmethod
    def of(cls, recording: Recording) -> _Traced:
        lookups = lookups_of(recording)
        width = recording.n_columns
        entry = next(node for node in recording.module.graph.nodes if node.op == "placeholder")
        ends = {entry: (0, width)}
        for node, parts in lookups.items():
            ends[node] = (width, width + sum(part.width for part in parts))
            width = ends[node][1]
        rewriting = Rewriting(width, recording.device)
        values = {n: rewriting.picked([()], range(*places)) for n, places in ends.items()}
        return cls(recording, lookups, rewriting, values)

    @property
    def all_lookups(self) -> Lookups | None:
        parts = tuple(part for several in self.lookups.values() for part in several)
        return Lookups(self.recording.n_columns, self.recording.dtype, parts) if parts else None

    def follow(self) -> Chain:
        """Return the output of the module."""
        wanted = self._wanted()
        for place, node in enumerate(wanted):
            if node.op == "output":
                break
            chain = self._linear(node)
            if chain is None:
                layer, source = self._layer(node)
                later = set(wanted[place + 1 :])
                needed = [n for n in self.values if any(user in later for user in n.users)]
                others = [self.values[n] for n in needed]
                chain, moved = self.rewriting.after(layer, source, others)
                self.values.update(zip(needed, moved, strict=True))
            self.values[node] = chain
        result = wanted[-1].args[0]
        if not isinstance(result, fx.Node) or result not in self.values:
            raise unknown("no single output")
        return self.values[result]

    def _wanted(self) -> list[fx.Node]:
        """Return the nodes that the output needs, in order, but for what is known already."""
        nodes = self.recording.module.graph.nodes
        found: set[fx.Node] = set()
        for node in reversed(nodes):
            if node.op == "output" or any(user in found for user in node.users):
                known = node in self.values or node in self.recording.fixed
                found |= set() if known else {node}
        return [node for node in nodes if node in found]

    def _linear(self, node: fx.Node) -> Chain | None:
        """Return the value of a node that is no layer; None if it is one."""
        recording, rewriting, example = self.recording, self.rewriting, self.recording.example
        free = [part for part in node.all_input_nodes if part not in recording.fixed]
        if not all(part in self.values for part in free):
            raise unknown(_name(recording, node))
        marks, start = {}, 0
        for part in free:
            size = rewriting.size(self.values[part])
            numbers = torch.arange(start, start + size, device=recording.device)
            marks[part], start = recording.like(part, numbers), start + size
        moved = recording.moved(node, marks)
        if moved is not None:
            parts = (moved,) if isinstance(moved, Tensor) else moved
            places = torch.cat([part[0].flatten() for part in parts]).tolist()
            return rewriting.picked([self.values[part] for part in free], places)
        if recording.is_affine(node):
            return self._scaled(node, free[0], marks[free[0]])
        if recording.kind(node) in CASTS and example[node].is_floating_point():
            chain = self.values[free[0]]
            return (*chain, rewriting.unit(rewriting.size(chain)))  # rounds
        if recording.kind(node) in SUMS and not node.kwargs:
            first, second = (part for part in node.args if isinstance(part, fx.Node))
            if example[first].shape == example[second].shape:
                return rewriting.summed(self.values[first], self.values[second])
        return None

    def _scaled(self, node: fx.Node, operand: fx.Node, marks: Tensor) -> Chain:
        """Return the value of a node that is affine, number by number."""
        recording = self.recording

        def at(number: float) -> Tensor:
            numbers = torch.full_like(marks, number, dtype=torch.float64)
            given = {**recording.example, operand: numbers}
            result: Tensor = recording.applied(node, given.__getitem__)
            return result[0].flatten()

        zero, one = at(0.0), at(1.0)
        places = marks.expand(recording.example[node].shape)[0].flatten().tolist()
        chain = self.rewriting.picked([self.values[operand]], places)
        return self.rewriting.scaled(chain, one - zero, zero)

    def _layer(self, node: fx.Node) -> tuple[nn.Module, Chain]:
        """Return the layer that a node applies to the numbers of a row, and these."""
        recording = self.recording
        source = node.args[0] if node.args else None
        if isinstance(source, fx.Node) and recording.example[source].ndim == 2:
            if node.op == "call_module":
                return recording.layer(node), self.values[source]
            if node.target in FUNCTIONS:
                options = {name: value for name, value in node.kwargs.items() if name != "inplace"}
                return FUNCTIONS[node.target](*node.args[1:], **options), self.values[source]
        raise unknown(_name(recording, node))


def _name(recording: Recording, node: fx.Node) -> str:
    kind = recording.kind(node)
    return str(getattr(kind, "__name__", kind))
