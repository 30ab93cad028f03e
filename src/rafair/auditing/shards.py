"""Shards: the pieces of a run, each computed, encoded and kept as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

from rafair.auditing.engine import Engine
from rafair.auditing.seeds import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

__all__ = ["Memory", "Runner", "Shard", "Store", "Task", "merged"]

T = TypeVar("T")
# The tensor that holds the facts, as the bytes of a JSON text.
FACTS = "facts"


@dataclass(frozen=True, eq=False)
class Shard:
    """What was computed about some seeds.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        Each with one line per seed.
    facts : mapping
        What JSON can say: counters. ``stopped`` tells that time ran out before all was done.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return not self.facts.get("stopped", False)

    def encode(self) -> bytes:
        """Return the shard as bytes; the tensors leave their device here."""
        text = bytearray(json.dumps(self.facts).encode())
        tensors = {name: _plain(tensor) for name, tensor in self.tensors.items()}
        return serialise({**tensors, FACTS: torch.frombuffer(text, dtype=torch.uint8)})

    @classmethod
    def decode(cls, content: bytes) -> Shard:
        """Return the shard that ``encode`` wrote."""
        tensors = parse(content)
        facts = json.loads(tensors.pop(FACTS).numpy().tobytes())
        return cls(tensors, facts)


def _plain(tensor: Tensor) -> Tensor:
    """Return a copy that shares its memory with nobody, as safetensors asks for."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def merged(shards: Sequence[Shard]) -> dict[str, Tensor]:
    """Put the tensors of consecutive shards behind one another."""
    return {
        name: torch.cat([shard.tensors[name] for shard in shards]) for name in shards[0].tensors
    }


class Store(Protocol):
    """Where finished shards are kept."""

    def begin(self, identity: Mapping[str, Any], /) -> Path | None:
        """Take up the run of this identity; return where its result lies, if it is finished.

        Raises
        ------
        InvalidInput
            If shards of another run are kept here.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """Return a shard, None where there is none or a damaged one."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Keep a shard."""
        ...


class Memory:
    """Keeps the shards of one run as long as it lasts."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def begin(self, _identity: Mapping[str, Any], /) -> Path | None:
        """Take up a run; it is never finished yet."""
        return None

    def get(self, name: str) -> bytes | None:
        """Return a shard, None where there is none."""
        return self._kept.get(name)

    def put(self, name: str, content: bytes) -> None:
        """Keep a shard."""
        self._kept[name] = content


@dataclass(frozen=True, eq=False)
class Task:
    """A shard that is to be computed.

    Attributes
    ----------
    name : str
        Of the shard in a store.
    work : object
        What it is computed from; small and picklable.
    what : str
        What a person who waits for it is told.
    weight : int
        How much of the work it is: seeds; 0 for what takes next to no time.
    """

    name: str
    work: Any
    what: str
    weight: int


@dataclass(frozen=True, eq=False)
class Runner:
    """Computes the shards that a store does not hold yet, and keeps each as it comes.

    Parameters
    ----------
    store : Store
    engine : Engine
    on_progress : callable
        Called with what is done, and how much of how much.
    """

    store: Store = field(default_factory=Memory)
    engine: Engine = field(default_factory=Engine)
    on_progress: Callable[[str, int, int], None] = silent

    def run(self, function: Callable[[Any], bytes], tasks: Sequence[Task]) -> list[Shard]:
        """Return the shard of every task, in the order of the tasks.

        Parameters
        ----------
        function : callable
            From a task's work to an encoded shard; pure and picklable. Every shard goes through
            its encoding, so that one that was kept cannot differ from one that was not.

        Raises
        ------
        InvalidInput
            What the function raises; or if a shard cannot be kept.
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
        for at, content in self.engine.map(function, [tasks[place].work for place in left]):
            task, shard = tasks[left[at]], Shard.decode(content)
            if shard.is_whole:
                self.store.put(task.name, content)
            found[left[at]] = shard
            done += task.weight
            if task.weight:
                self.on_progress(task.what, done, total)
        return [found[place] for place in range(len(tasks))]
