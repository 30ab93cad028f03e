"""Regions cut as in Fairify's experiments: how many are decided, and in what time?

    python benchmarks/regions.py [--seconds 60]

Fairify (Biswas and Rajan, ICSE 2023) cuts the domain of every feature that is wider than some
length into pieces of that length, and asks of each piece, in random order and up to a time limit,
whether anybody in it is decided otherwise after a change of one protected attribute. Here the
same is done with networks of the same numbers of layers and neurons, trained here on this package's
tables. Each line of the table that is printed is one network.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import rafair
from rafair.models.networks import epochs_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.schema import Feature

BATCH, RATE = 128, 1e-3


@dataclass(frozen=True)
class Case:
    """A network of Fairify's, and how Fairify cuts its domain.

    Attributes
    ----------
    hidden : tuple of int
        Neurons of each hidden layer. The sources give their number and their sum.
    pieces : dict
        Length of the pieces of each feature that is cut, in original units or levels.
    """

    name: str
    data: str
    sensitive: str
    hidden: tuple[int, ...]
    pieces: dict[str, int]


ADULT = {
    "age": 10, "education": 10, "education_num": 10, "occupation": 10, "hours_per_week": 10,
    "native_country": 10, "capital_gain": 50_000, "capital_loss": 2_200,
}  # fmt: skip
CASES = (
    Case("GC-1", "credit", "sex", (50,), {"credit_amount": 100}),
    Case("GC-4", "credit", "sex", (5, 5), {"credit_amount": 100}),
    Case("BM-4", "bank", "age", (100, 100, 100), {"duration": 100, "pdays": 100}),
    Case("AC-11", "adult", "sex", (10, 10, 10, 10), ADULT),
)


def trained(data: rafair.Dataset, hidden: tuple[int, ...]) -> rafair.Classifier:
    """Train a network on the train split with Adam and cross-entropy."""
    torch.manual_seed(0)
    widths = (data.train.x.shape[1], *hidden, len(data.schema.classes))
    layers = [
        layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())
    ]
    module = nn.Sequential(*layers[:-1])
    x, y = data.train.x.float(), data.train.y
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE)
    for _ in range(epochs_for(len(x))):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimiser.step()
    return rafair.wrap(module.eval(), data.schema, output="logits")


def batched(feature: Feature, length: int) -> list[tuple[Any, ...]]:
    """Return a feature's levels, ``length`` at a time."""
    levels = feature.domain
    return [levels[at : at + length] for at in range(0, len(levels), length)]


def cuts(feature: Feature, length: int) -> list[Any]:
    """Return the conditions on a feature that cut it into pieces."""
    if feature.kind == "categorical":
        return [list(levels) for levels in batched(feature, length)]
    if feature.kind == "ordinal":
        return [(levels[0], levels[-1]) for levels in batched(feature, length)]
    low, high = (int(end) for end in feature.domain)
    return [(at, min(at + length - 1, high)) for at in range(low, high + 1, length)]


def regions(case: Case, schema: rafair.Schema) -> list[dict[str, Any]]:
    """Return the regions of a case, in random order."""
    ways = {
        name: cuts(schema.features[schema.index(name)], length)
        for name, length in case.pieces.items()
    }
    found = [dict(zip(ways, each, strict=True)) for each in itertools.product(*ways.values())]
    random.Random(0).shuffle(found)
    return found


def answers(case: Case, seconds: float) -> Iterator[str]:
    """Yield the cells of a case's line."""
    data = rafair.load_dataset(case.data).with_sensitive([case.sensitive])
    model = trained(data, case.hidden)
    todo = regions(case, data.schema)
    counts, begun = {"fair": 0, "unfair": 0, "undecided": 0}, time.perf_counter()
    for region in todo:
        left = seconds - (time.perf_counter() - begun)
        if left <= 0:
            break
        found = rafair.certify_region(model, data.schema, region)
        counts[found.boxes["status"].item()] += 1
    used, asked = time.perf_counter() - begun, sum(counts.values())
    right = (model.scores(data.test.x.float()).argmax(dim=1) == data.test.y).double().mean()
    yield from (case.name, "-".join(map(str, case.hidden)), f"{right:.3f}", f"{len(todo):,}")
    yield from (f"{asked:,}", *(str(count) for count in counts.values()))
    yield from (f"{(asked - counts['undecided']) / asked:.1%}", f"{used / asked:.3f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=math.inf, help="for each network")
    given = parser.parse_args()
    heads = "network, hidden layers, accuracy, regions, asked, fair, unfair, undecided, decided, s"
    print(f"| {heads.replace(', ', ' | ')} |")
    print("|---" * len(heads.split(", ")) + "|")
    for case in CASES:
        print(f"| {' | '.join(answers(case, given.seconds))} |", flush=True)


if __name__ == "__main__":
    main()
