"""Shards: the pieces of a run; each is computed, encoded and kept as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from rafair.engine.backends import Engine
from rafair.engine.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

__all__ = ["Memory", "Runner", "Shard", "Store", "Task", "merged"]

# The tensor that holds the counts, as the bytes of a JSON text. Kept shards have this name.
COUNTS = "facts"


@dataclass(frozen=True, eq=False)
class Shard:
    """The result of one task.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        Each with one row per item that the task worked on.
    counts : mapping
        Whatever JSON can hold. ``stopped`` says that time ran out before all was done.
    """

    tensors: Mapping[str, Tensor]
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the task was done to its end."""
        return not self.counts.get("stopped", False)

    def encode(self) -> bytes:
        """Return the shard as bytes; tensors on a GPU are copied to main memory."""
        text = bytearray(json.dumps(self.counts).encode())
        tensors = {name: _plain(tensor) for name, tensor in self.tensors.items()}
        return serialise({**tensors, COUNTS: torch.frombuffer(text, dtype=torch.uint8)})

    @classmethod
    def decode(cls, content: bytes) -> Shard:
        """Return the shard that ``encode`` wrote."""
        tensors = parse(content)
        counts = json.loads(tensors.pop(COUNTS).numpy().tobytes())
        return cls(tensors, counts)


def _plain(tensor: Tensor) -> Tensor:
    """Return a copy with memory of its own, which safetensors requires."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def merged(shards: Sequence[Shard]) -> dict[str, Tensor]:
    """Join the tensors of consecutive shards, row after row."""
    return {
        name: torch.cat([shard.tensors[name] for shard in shards]) for name in shards[0].tensors
    }


class Store(Protocol):
    """Where finished shards are kept."""

    def begin(self, identity: Mapping[str, Any], /) -> Path | None:
        """Start or continue the run of this identity; return where a finished result lies.

        Raises
        ------
        InvalidInput
            If shards of another run are kept here.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """Return a shard; None where it is missing or damaged."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Keep a shard."""
        ...


class Memory:
    """Keeps the shards of one run in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def begin(self, _identity: Mapping[str, Any], /) -> Path | None:
        """Start a run; memory never holds a finished one."""
        return None

    def get(self, name: str) -> bytes | None:
        """Return a shard; None where it is missing."""
        return self._kept.get(name)

    def put(self, name: str, content: bytes) -> None:
        """Keep a shard."""
        self._kept[name] = content


@dataclass(frozen=True, eq=False)
class Task:
    """A shard to compute.

    Attributes
    ----------
    name : str
        Name of the shard in a store.
    work : object
        What the shard is computed from; small and picklable.
    what : str
        What progress reports call it.
    weight : int
        Its part of the work, in seeds; 0 where it takes almost no time.
    """

    name: str
    work: Any
    what: str
    weight: int


@dataclass(frozen=True)
class _Encoded:
    """A function from a task's work to its shard, whose shards are encoded where it runs."""

    function: Callable[[Any], Shard]

    def __call__(self, work: Any) -> bytes:
        """Return the encoded shard of a task's work."""
        return self.function(work).encode()


@dataclass(frozen=True, eq=False)
class Runner:
    """Computes the shards that a store does not hold yet, and keeps each one at once.

    Parameters
    ----------
    store : Store
    engine : Engine
    on_progress : callable
        Called with what is being done, how much of it is done and how much there is.
    """

    store: Store = field(default_factory=Memory)
    engine: Engine = field(default_factory=Engine)
    on_progress: Progress = silent

    def run(self, function: Callable[[Any], Shard], tasks: Sequence[Task]) -> list[Shard]:
        """Return the shard of every task, in the order of the tasks.

        Parameters
        ----------
        function : callable
            From a task's work to its shard; pure and picklable. Every shard is encoded and decoded
            once, so that a shard read from the store cannot differ from a new one.

        Raises
        ------
        InvalidInput
            If the function raises it, or a shard cannot be kept.
        """
        kept = {place: self.store.get(task.name) for place, task in enumerate(tasks)}
        found = {place: Shard.decode(c) for place, c in kept.items() if c is not None}
        left = [place for place in range(len(tasks)) if place not in found]
        total = sum(task.weight for task in tasks)
        done = sum(tasks[place].weight for place in found)
        for place in left:
            if tasks[place].weight:
                self.on_progress(tasks[place].what, done, total)
                break
        work = [tasks[place].work for place in left]
        for at, content in self.engine.map(_Encoded(function), work):
            task, shard = tasks[left[at]], Shard.decode(content)
            if shard.is_whole:
                self.store.put(task.name, content)
            found[left[at]] = shard
            done += task.weight
            if task.weight:
                self.on_progress(task.what, done, total)
        return [found[place] for place in range(len(tasks))]
