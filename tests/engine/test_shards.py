"""Shards: encoded, computed in any order, kept, and joined again."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from orders import Shuffled
from rafair.engine import Memory, Runner, Shard, Task, merged


@given(st.data())
def test_a_shard_is_read_as_it_was_written(data):
    n = data.draw(st.integers(1, 5))
    tensors = {
        "x": torch.rand(n, 3, dtype=torch.float64),
        "single": torch.full((n,), torch.nan, dtype=torch.float32),
        "cells": torch.arange(n),
        "fair": torch.arange(n) % 2 == 0,
        "shared": torch.rand(n, 8, dtype=torch.float64)[:, 2:4],
    }
    counts = {"count": data.draw(st.integers()), "name": data.draw(st.text()), "stopped": n == 2}
    read = Shard.decode(Shard(tensors, counts).encode())
    assert read.counts == counts
    assert read.is_whole == (n != 2)
    assert list(read.tensors) == sorted(tensors, key=list(read.tensors).index)
    for name, tensor in tensors.items():
        assert read.tensors[name].dtype == tensor.dtype
        torch.testing.assert_close(read.tensors[name], tensor, rtol=0, atol=0, equal_nan=True)


def numbered(work):
    return Shard({"n": torch.tensor([work])}, {"square": work**2})


@given(st.data())
def test_shards_are_merged_by_place_whatever_comes_first(data):
    seen, store = [], Memory()
    weights = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=9))
    tasks = [Task(f"s-{at}", at, f"w{at}", weight) for at, weight in enumerate(weights)]
    kept = data.draw(st.sets(st.integers(0, len(tasks) - 1)))
    for at in kept:
        store.put(f"s-{at}", numbered(at).encode())
    engine = Shuffled(data.draw)
    runner = Runner(store, engine, lambda *what: seen.append(what))
    shards = runner.run(numbered, tasks)
    assert merged(shards)["n"].tolist() == list(range(len(tasks)))
    assert [shard.counts["square"] for shard in shards] == [at**2 for at in range(len(tasks))]
    assert engine.calls == [len(tasks) - len(kept)]
    done = [count for _, count, _ in seen]
    assert done == sorted(done)
    if seen:
        assert done[0] == sum(weights[at] for at in kept)
        assert seen[-1][1:] == (sum(weights), sum(weights))
    assert all(store.get(task.name) is not None for task in tasks)


def test_what_was_stopped_is_not_kept():
    store = Memory()

    def half(work):
        return Shard({"n": torch.tensor([work])}, {"stopped": work == 1})

    shards = Runner(store).run(half, [Task(f"s-{at}", at, "", 1) for at in range(3)])
    assert [shard.is_whole for shard in shards] == [True, False, True]
    assert [store.get(f"s-{at}") is not None for at in range(3)] == [True, False, True]
