"""Do guards of FCNN(6) answer everybody in I(v) alike, and how long does an answer take?

``python benchmarks/guard.py`` prints one table for the four benchmarks. Of 10,000 people it counts
those whose answers differ: among v and five members of I(v) drawn at random, each asked in another
batch; and whose counterparts, all of them, are not asked about as the same rows, bit for bit.
People are the rows of both splits; where these are fewer, further people have each feature of
somebody else. Times are processor times of one thread, the least of five.
"""

from __future__ import annotations

import argparse

import torch

import rafair
from rafair.datasets.registry import benchmark_names
from rafair.guarding import RULES, GuardedClassifier, milliseconds

MEMBERS, BATCH, REPEATS = 5, 1_000, 5


def people_of(data: rafair.Dataset, count: int) -> torch.Tensor:
    """Return rows of both splits, and mixtures of them up to a count."""
    rows = torch.cat([data.test.x, data.train.x])
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(rows), generator=generator)[:count]
    lacking = count - len(order)
    columns = [
        rows[torch.randint(len(rows), (lacking,), generator=generator), column]
        for column in range(rows.shape[1])
    ]
    return torch.cat([rows[order], torch.stack(columns, dim=1)])


def differing(guard: GuardedClassifier, x: torch.Tensor) -> int:
    """Count the people of whom some member of I(v) gets another answer."""
    people, generator = guard.counterparts, torch.Generator().manual_seed(1)
    drawn = torch.randint(len(people), (MEMBERS, len(x)), generator=generator)
    rows = torch.cat([x, *(people.take(x, index) for index in drawn)])
    order = torch.randperm(len(rows), generator=generator)
    answers = torch.empty(len(rows), dtype=torch.int64)
    for some in torch.split(order, BATCH):
        answers[some] = guard.scores(rows[some]).argmax(dim=1)
    answers = answers.view(MEMBERS + 1, len(x))
    return int((answers != answers[0]).any(dim=0).sum())


def asked_otherwise(guard: GuardedClassifier, x: torch.Tensor) -> int:
    """Count the people of whom some member of I(v) is not asked about as the same rows."""
    return int((~guard.members.covers(x, guard.counterparts)).sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--datasets", nargs="+", default=benchmark_names())
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| data set | members of I(v) | rule | people | other answers | asked otherwise | ", end=""
    )
    print("ms a row | bare model, ms |\n|---|---|---|---|---|---|---|---|")
    for name in options.datasets:
        data, model = rafair.load_dataset(name), rafair.baseline(name)
        everyone, x = rafair.Counterparts.of(data.schema), people_of(data, options.people)
        bare = min(milliseconds(model, x) for _ in range(REPEATS))
        for rule in RULES:
            guard = GuardedClassifier(model, everyone, rule)
            took = min(milliseconds(guard, x) for _ in range(REPEATS))
            found = differing(guard, x), asked_otherwise(guard, x)
            print(
                f"| {name} | {len(everyone)} | {rule} | {len(x):,} | {found[0]} | {found[1]} | "
                f"{took:.3f} | {bare:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
