"""RAFair against the bare loop by processor time of one thread, which other programs hardly change.

python benchmarks/one_thread.py [NAME ...] [--seeds 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics

import torch
from bare import bare_loop, processor_time

from conftest import DATASETS, make_task, processor
from rafair.attacks import RAFair

STEPS = 20
MODES = ("false_fair", "true_biased", "false_biased")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=DATASETS)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(processor())
    for name in options.names:
        task = make_task(name, options.seeds)
        rows = task.people.expand(task.x.float()).flatten(0, 1)
        labels = task.y.repeat_interleave(len(task.people))
        attacks = [RAFair(mode=mode, steps=STEPS) for mode in MODES]
        RAFair(steps=1).run(*task.arguments)  # compiles
        found = [
            (
                processor_time(lambda: bare_loop(task.model.module, rows, labels, STEPS)),  # noqa: B023
                *(processor_time(lambda: attack.run(*task.arguments)) for attack in attacks),  # noqa: B023
            )
            for _ in range(options.rounds)
        ]
        loop, *modes = (statistics.median(column) for column in zip(*found, strict=True))
        ratios = ", ".join(f"{m} {t / loop:.2f}" for m, t in zip(MODES, modes, strict=True))
        print(f"{name}: bare loop {loop:.2f} s; {ratios}; together {sum(modes) / 3 / loop:.2f}")


if __name__ == "__main__":
    main()
