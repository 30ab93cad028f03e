"""RAFair against the bare loop it cannot do without: ratio of times, in one process.

    python benchmarks/hot_path.py [NAME ...] [--seeds 200] [--steps 20] [--threads 2]

The bare loop runs forward and input gradient over rows that lie ready in memory, in batches of the
same size, and keeps nothing. RAFair builds the rows, orders the gradients of all counterparts,
excludes v, and takes its steps. Both run in turn; the median of the pairs' ratios is printed, since
a machine's speed drifts, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from typing import TYPE_CHECKING

import torch

import rafair
from rafair.attacks import RAFair
from rafair.fairness import choose_seeds
from rafair.problem.batching import CPU_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable


def bare_loop(module: torch.nn.Module, rows: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    one_hot = torch.nn.functional.one_hot(y, 2).to(rows.dtype)
    for _ in range(steps):
        for start in range(0, len(rows), CPU_ROWS):
            x = rows[start : start + CPU_ROWS].requires_grad_()
            p = torch.softmax(module(x), dim=1)
            loss = (p - one_hot[start : start + CPU_ROWS]).square().mean(dim=1).sum()
            torch.autograd.grad(loss, x)


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=["adult", "bank", "compas", "credit"])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.datasets:
        data, model = rafair.load_dataset(name), rafair.baseline(name)
        chosen = choose_seeds(data.test.x, options.seeds)
        x, y = data.test.x[chosen], data.test.y[chosen]
        people = rafair.Counterparts.of(data.schema)
        space = rafair.PerturbationSpace.of(data.schema)
        attack = RAFair(mode="false_fair", steps=options.steps)
        rows = people.expand(x.float()).flatten(0, 1)
        labels = y.repeat_interleave(len(people))
        ours, bare = [], []
        for _ in range(options.repeats + 1):
            ours.append(timed(lambda: attack.run(model, x, y, people, space)))  # noqa: B023
            bare.append(timed(lambda: bare_loop(model.module, rows, labels, options.steps)))  # noqa: B023
        seconds = statistics.median(ours[1:])
        pairs = [a / b for a, b in zip(ours[1:], bare[1:], strict=True)]
        ratio = statistics.median(pairs)
        rate = options.steps * len(rows) / seconds / 1e6
        print(f"{name:<7} {len(rows):>7} rows  ratio {ratio:.2f}  {rate:.2f} million gradients/s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
