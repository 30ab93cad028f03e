"""Finds what a traced module looks up by codes: embeddings and one-hot codes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from rafair.bounds.lookups import Lookup
from rafair.bounds.recording import IDLE
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.bounds.recording import Recording

__all__ = ["lookups_of"]

# Operations that keep or reverse the order of their first operand's numbers.
MONOTONE = {
    torch.round, torch.floor, torch.ceil, torch.trunc, torch.clamp, torch.clip, torch.relu,
    torch.clamp_min, torch.clamp_max, functional.relu, torch.bucketize, nn.ReLU, *IDLE,
    operator.gt, operator.ge, operator.lt, operator.le,
    "round", "floor", "ceil", "trunc", "clamp", "clip", "clamp_min", "clamp_max", "relu", "long",
    "int", "float", "double", "to", "type",
}  # fmt: skip
# A column with more codes than this is refused.
MOST_CODES = 10_000


def lookups_of(recording: Recording) -> dict[fx.Node, list[Lookup]]:
    """Return what each embedding or one-hot code of a module looks up, one for each code.

    A code must be a monotone function of one column.

    Raises
    ------
    InvalidInput
        If it is not; if a code between 0 and 1 has no row, or the rows change when they are read.
    """
    tables = {
        node: table
        for node in recording.module.graph.nodes
        if (table := _table(recording, node)) is not None
    }
    if not tables:
        return {}
    columns = _columns(recording)
    codes: dict[fx.Node, Any] = {n: n.args[0] if n.args else None for n in tables}
    if not all(code in columns for code in codes.values()):
        raise InvalidInput(
            "certificates need lookups by one column each, scaled and rounded; this network has "
            "others"
        )
    places = {code: columns[code][0].flatten().tolist() for code in set(codes.values())}
    starts = _starts(recording, places)
    found = {}
    for node, table in tables.items():
        rows = starts[codes[node]]
        found[node] = [
            Lookup.of(column, edges, table[numbers], table)
            for column, (numbers, edges) in zip(places[codes[node]], rows, strict=True)
        ]
    return found


def _table(recording: Recording, node: fx.Node) -> Tensor | None:
    """Return the rows among which a node looks up, (m, w), float64; None if it does not."""
    if node.op == "call_module" and isinstance(layer := recording.layer(node), nn.Embedding):
        if layer.max_norm is not None:
            raise InvalidInput("certificates need embeddings without max_norm")
        return layer.weight.detach().to(torch.float64)
    if node.op == "call_function" and node.target is functional.one_hot:
        width = recording.example[node].shape[-1]
        return torch.eye(width, dtype=torch.float64, device=recording.device)
    return None


def _columns(recording: Recording) -> dict[fx.Node, Any]:
    """Return of which column each number is a monotone function, for all nodes that have such."""
    every = torch.arange(recording.n_columns, device=recording.device)
    found: dict[fx.Node, Any] = {}
    for node in recording.module.graph.nodes:
        if node.op == "placeholder":
            found[node] = recording.like(node, every)
        elif node in recording.fixed or node.op == "output":
            continue
        elif (moved := recording.moved(node, found)) is not None:
            found[node] = moved
        elif recording.is_affine(node) or _is_monotone(recording, node):
            operand = recording.operand(node)
            marks = None if operand is None else found.get(operand)
            if isinstance(marks, Tensor):
                found[node] = marks.expand(recording.example[node].shape)
    return found


def _is_monotone(recording: Recording, node: fx.Node) -> bool:
    first = node.args[0] if node.args else None
    return recording.kind(node) in MONOTONE and recording.operand(node) is first


def _starts(
    recording: Recording, places: dict[fx.Node, list[int]]
) -> dict[fx.Node, list[tuple[Tensor, Tensor]]]:
    """Return the codes of each number of some nodes, in order, and the least inputs with them."""
    try:
        ends = recording.run(torch.tensor([[0.0], [1.0]]).expand(2, recording.n_columns))
    except (IndexError, RuntimeError) as error:
        raise InvalidInput("certificates need lookups with a row for each code") from error
    asked = {
        (node, place): ends[node].reshape(2, -1)[:, place]
        for node, columns in places.items()
        for place in range(len(columns))
    }
    targets = {key: _between(*codes.tolist()) for key, codes in asked.items()}
    first = _bisected(recording, {key: codes for key, codes in targets.items() if len(codes) > 1})
    found: dict[fx.Node, list[tuple[Tensor, Tensor]]] = {node: [] for node in places}
    above = torch.nextafter(*torch.tensor([1.0, 2.0], dtype=recording.dtype)).reshape(1)
    for key, codes in targets.items():
        edges = torch.cat([torch.zeros(1), first.get(key, torch.zeros(0)), above])
        found[key[0]].append((codes, edges.to(recording.device, torch.float64)))
    return found


def _between(start: float, end: float) -> Tensor:
    """Return all codes from that of 0 to that of 1."""
    if abs(end - start) >= MOST_CODES:
        raise InvalidInput(f"certificates need lookups of at most {MOST_CODES:,} codes")
    step = 1 if end >= start else -1
    return torch.arange(int(start), int(end) + step, step)


def _bisected(
    recording: Recording, targets: dict[tuple[fx.Node, int], Tensor]
) -> dict[tuple[fx.Node, int], Tensor]:
    """Return for each code but the first the least number in [0, 1] with this code, or past it."""
    if not targets:
        return {}
    sizes = [len(codes) - 1 for codes in targets.values()]
    low, high = torch.zeros(2, sum(sizes), dtype=recording.dtype)
    high = high + 1
    while True:
        middle = low + (high - low) / 2
        if not bool(((low < middle) & (middle < high)).any()):
            break
        values = recording.run(middle.unsqueeze(1).expand(-1, recording.n_columns))
        reached = []
        for (node, place), codes, part in zip(
            targets, targets.values(), _parts(sizes), strict=True
        ):
            step = torch.sign(codes[1] - codes[0])
            seen = values[node].reshape(len(middle), -1)[part, place].cpu()
            reached.append((seen - codes[1:]) * step >= 0)
        past = torch.cat(reached)
        low, high = torch.where(past, low, middle), torch.where(past, middle, high)
    return dict(zip(targets, torch.split(high, sizes), strict=True))


def _parts(sizes: list[int]) -> list[slice]:
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
