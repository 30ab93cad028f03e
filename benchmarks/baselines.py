"""The gradient baselines against the bare work that they state: ratio of times, in one process.

    python benchmarks/baselines.py [NAME ...] [--attacks ATTACK ...] [--seeds 200] [--steps 20]
                                   [--threads 2] [--repeats 5] [--seconds 2] [--only seeds|whole]

An attack states how many rows it differentiates and how many it only predicts. The bare loop does
that and no more: forward, mean squared error and input gradient, or forward alone, over as many
rows that lie ready in memory, in as many passes as the attack takes steps and in batches of the
same size; it keeps nothing. The attack's time holds everything, the checks of the problem too. Both
run in turn, at least ``--repeats`` times and on for ``--seconds``; the median of the pairs' ratios
is printed, and their quartiles, since a machine's speed drifts. First come some seeds, then the
whole test split.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import torch
from bare import ROWS, bare_loop, timed

import rafair
from rafair.attacks import ACG, ADF, APGD, DICE, EIDIG, FGSM, PGD
from rafair.fairness import choose_seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from rafair.attacks import Attack

BASELINES = {"fgsm": FGSM, "pgd": PGD, "apgd": APGD, "acg": ACG}
BASELINES |= {"adf": ADF, "eidig": EIDIG, "dice": DICE}
EPSILON = 0.2


def make(name: str, steps: int) -> tuple[Attack, int]:
    """Return a baseline and the number of passes that it makes over its rows."""
    return (FGSM(), 1) if name == "fgsm" else (BASELINES[name](steps=steps), steps)


def repeated(rows: Tensor, n: int) -> Tensor:
    """Return n rows: these, over and over."""
    return rows[torch.arange(n) % len(rows)]


def bare_work(module: nn.Module, own: tuple[Tensor, Tensor], others: Tensor, passes: int) -> None:
    """In each pass, differentiate the loss of some rows and predict others."""
    bare_loop(module, *own, passes)
    with torch.no_grad():
        for _ in range(passes):
            for batch in torch.split(others, ROWS):
                module(batch)


def in_turn(
    ours: Callable[[], object], bare: Callable[[], object], repeats: int, seconds: float
) -> list[tuple[float, float]]:
    """Time both in turn, after a first pair that warms up."""
    pairs, started = [], time.perf_counter()
    while len(pairs) <= repeats or time.perf_counter() - started < seconds:
        pairs.append((timed(ours), timed(bare)))
    return pairs[1:]


def compare(
    data: rafair.Dataset, n: int | None, names: list[str], steps: int, repeats: int, seconds: float
) -> None:
    model, chosen = rafair.baseline(data.name), choose_seeds(data.test.x, n)
    x, y = data.test.x[chosen], data.test.y[chosen]
    people = rafair.Counterparts.of(data.schema)
    space = rafair.PerturbationSpace.of(data.schema, epsilon=EPSILON)
    for name in names:
        attack, passes = make(name, steps)
        stated = attack.run(model, x, y, people, space)
        n_gradients, n_forwards = stated.n_gradients // passes, stated.n_forwards // passes
        own = repeated(x.float(), n_gradients), repeated(y, n_gradients)
        others = repeated(x.float(), n_forwards)
        pairs = in_turn(
            lambda: attack.run(model, x, y, people, space),  # noqa: B023
            lambda: bare_work(model.module, own, others, passes),  # noqa: B023
            repeats,
            seconds,
        )
        low, middle, high = statistics.quantiles([a / b for a, b in pairs], n=4)
        print(
            f"{data.name:<7}{len(x):>6} seeds  {name:<6}{stated.n_gradients:>8} gradients"
            f"{stated.n_forwards:>10} forwards{statistics.median(a for a, _ in pairs):>9.4f} s  "
            f"ratio {middle:.2f} ({low:.2f} to {high:.2f}, {len(pairs)} pairs)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=["adult", "bank", "compas", "credit"])
    parser.add_argument("--attacks", nargs="+", choices=BASELINES, default=list(BASELINES))
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", choices=["seeds", "whole"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = {"seeds": [options.seeds], "whole": [None]}.get(options.only, [options.seeds, None])
    for name in options.datasets:
        data = rafair.load_dataset(name)
        for n in sizes:
            compare(data, n, options.attacks, options.steps, options.repeats, options.seconds)


if __name__ == "__main__":
    main()
