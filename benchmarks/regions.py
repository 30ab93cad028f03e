"""Regions cut as in Fairify's experiments: how many are decided, and in what time?

    python benchmarks/regions.py [--network GC-1] [--seconds 1800] [--originals DIR]

Fairify (Biswas and Rajan, ICSE 2023) cuts the domain of every feature that is wider than some
length into pieces of that length, and asks of each piece, in random order and up to a time limit,
whether anybody in it is decided otherwise after a change of one protected attribute. Here the
same is done with networks of the same layers, trained here on this package's tables. With
``--originals`` it is done with Fairify's own networks, on the domain that it gives them: ``.nnet``
files in folders ``adult``, ``bank`` and ``german``, as the artifact of FairQuant (Kim, Wang and
Wang, ICSE 2025) has them. Each line of the table that is printed is one network.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

import rafair
from rafair.datasets.dataset import Split
from rafair.models.networks import epochs_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.schema import Feature

BATCH, RATE = 128, 1e-3
NOT_REACHED = "the budget was spent"


@dataclass(frozen=True)
class Table:
    """One of Fairify's tables, and how Fairify cuts its domain.

    Attributes
    ----------
    data, sensitive : str
        This package's table, and its column of the protected attribute.
    since : float, optional
        The protected attribute is whether that column has at least this value.
    domains : dict
        Fairify's range of a feature where it is wider than this package's.
    pieces : dict
        Length of the pieces of each feature that is cut, in original units or levels.
    folder : str
        Where the files of the original networks are.
    place : int
        Which input of the original networks is the protected attribute.
    length : int
        Length of the pieces of every longer range of the original domain.
    order : sequence of int
        Which of the file's ranges is that of each input; by default they have the same order.
    """

    data: str
    sensitive: str
    domains: dict[str, tuple[int, int]]
    pieces: dict[str, int]
    folder: str
    place: int
    length: int
    since: float | None = None
    order: Sequence[int] = ()


ADULT = Table(
    "adult", "sex", {"age": (10, 100), "hours_per_week": (1, 100)},
    {
        "age": 10, "education": 10, "education_num": 10, "occupation": 10, "hours_per_week": 10,
        "native_country": 10, "capital_gain": 50_000, "capital_loss": 2_200,
    },
    "adult", 8, 10,
)  # fmt: skip
# The files list age last and duration after emp.var.rate; the networks, and Fairify, have age first
# and duration before.
BANK = Table(
    "bank", "age", {"duration": (0, 5_000), "pdays": (-1, 998)}, {"duration": 100, "pdays": 100},
    "bank", 0, 100, since=25, order=(15, *range(9), 10, 9, *range(11, 15)),
)  # fmt: skip
CREDIT = Table(
    "credit", "sex", {"credit_amount": (0, 20_000)}, {"credit_amount": 100}, "german", 19, 100
)
DEEP = (64, 32, 16, 8, 4)
# Neurons of each hidden layer, as in the files of the original networks.
NETWORKS: dict[str, tuple[Table, tuple[int, ...]]] = {
    "GC-1": (CREDIT, (50,)), "GC-2": (CREDIT, (100,)), "GC-3": (CREDIT, (9,)),
    "GC-4": (CREDIT, (6, 4)), "GC-5": (CREDIT, DEEP),
    "BM-1": (BANK, (64, 16)), "BM-2": (BANK, (32, 16)), "BM-3": (BANK, (100,)),
    "BM-4": (BANK, (150, 100, 50)), "BM-5": (BANK, (22, 10)), "BM-6": (BANK, (9, 9)),
    "BM-7": (BANK, (64, 64)), "BM-8": (BANK, DEEP),
    "AC-1": (ADULT, (16, 8)), "AC-2": (ADULT, (100,)), "AC-3": (ADULT, (50,)),
    "AC-4": (ADULT, (100, 100)), "AC-5": (ADULT, (64, 64)), "AC-6": (ADULT, (12, 12)),
    "AC-7": (ADULT, DEEP), "AC-8": (ADULT, (5, 5)), "AC-9": (ADULT, (3,) * 4),
    "AC-10": (ADULT, (5,) * 4), "AC-11": (ADULT, (10,) * 4), "AC-12": (ADULT, (5,) * 9),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, what its inputs mean, its regions, and its accuracy where that is known."""

    model: rafair.Classifier
    schema: rafair.Schema
    pieces: dict[str, int]
    hidden: Sequence[int]
    accuracy: float = field(default=math.nan)


def dataset(table: Table) -> rafair.Dataset:
    """Return this package's table, on Fairify's ranges."""
    data = rafair.load_dataset(table.data).with_sensitive([table.sensitive])
    features = []
    for feature in data.schema.features:
        new = replace(feature, domain=table.domains.get(feature.name, feature.domain))
        if table.since is not None and feature.sensitive:
            new = rafair.Feature(feature.name, "categorical", ("below", "from"), sensitive=True)
        features.append(new)
    schema = replace(data.schema, features=tuple(features))
    frames = [split.frame.copy() for split in (data.train, data.test)]
    if table.since is not None:
        for frame in frames:
            old = frame[table.sensitive] >= table.since
            frame[table.sensitive] = np.where(old, "from", "below")
    train, test = (Split.of(frame, schema) for frame in frames)
    return replace(data, schema=schema, train=train, test=test)


def trained(table: Table, hidden: Sequence[int]) -> Subject:
    """Train a network on the train split with Adam and cross-entropy."""
    data = dataset(table)
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
    model = rafair.wrap(module.eval(), data.schema, output="logits")
    right = model.scores(data.test.x.float()).argmax(dim=1) == data.test.y
    return Subject(model, data.schema, table.pieces, hidden, float(right.double().mean()))


def original(table: Table, path: Path) -> Subject:
    """Read a network of Fairify's, from a file that says the range of every input.

    Inputs are whole numbers. Both ends of their ranges, and the weights layer by layer, each neuron
    a line and then the biases, stand in lines of numbers with commas between them.
    """
    text = path.read_text().splitlines()
    lines = [line.rstrip(", ").split(",") for line in text if not line.startswith("//")]
    sizes = [int(size) for size in lines[1]]
    low, high = (torch.tensor([float(end) for end in line]).double() for line in lines[3:5])
    if table.order:
        low, high = low[list(table.order)], high[list(table.order)]
    numbers, layers = iter(lines[7:]), []
    for n_in, n_out in itertools.pairwise(sizes):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        rows = [[float(weight) for weight in next(numbers)] for _ in range(n_out)]
        layer.weight.data = torch.tensor(rows, dtype=torch.float64)
        layer.bias.data = torch.tensor([float(next(numbers)[0]) for _ in range(n_out)]).double()
        layers += [layer, nn.ReLU()]
    first = layers[0]
    first.bias.data += first.weight.data @ low
    first.weight.data *= high - low
    features = [
        _whole(f"x{place}", *ends, sensitive=place == table.place)
        for place, ends in enumerate(zip(low.tolist(), high.tolist(), strict=True))
    ]
    schema = rafair.Schema(features, "decision", ("0", "1"))
    model = rafair.wrap(nn.Sequential(*layers[:-1]).eval(), schema, output="logits")
    wide = [feature.name for feature in features if feature.span >= table.length]
    return Subject(model, schema, dict.fromkeys(wide, table.length), sizes[1:-1])


def _whole(name: str, low: float, high: float, *, sensitive: bool) -> Feature:
    observed = (low, high) if sensitive else ()
    domain = (int(low), int(high))
    return rafair.Feature(name, "integer", domain, sensitive=sensitive, observed=observed)


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


def regions(subject: Subject) -> list[dict[str, Any]]:
    """Return the regions of a network's domain, in random order."""
    schema = subject.schema
    ways = {
        name: cuts(schema.features[schema.index(name)], length)
        for name, length in subject.pieces.items()
    }
    found = [dict(zip(ways, each, strict=True)) for each in itertools.product(*ways.values())]
    random.Random(0).shuffle(found)
    return found


def answers(name: str, subject: Subject, seconds: float | None) -> Iterator[str]:
    """Yield the cells of a network's line."""
    todo, begun = regions(subject), time.perf_counter()
    found = rafair.certify_region(subject.model, subject.schema, todo, max_seconds=seconds).boxes
    used = time.perf_counter() - begun
    reached = found[(found["reason"] != NOT_REACHED) | (found["nodes"] > 0)]
    counts = [
        int((reached["status"] == status).sum()) for status in ("fair", "unfair", "undecided")
    ]
    asked = len(reached)
    yield from (name, "-".join(map(str, subject.hidden)))
    yield from ("" if math.isnan(subject.accuracy) else f"{subject.accuracy:.3f}", f"{len(todo):,}")
    yield from (f"{asked:,}", *(f"{count:,}" for count in counts))
    yield from (f"{(asked - counts[-1]) / asked:.1%}", f"{used:.0f}", f"{used / asked:.3f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, action="append", help="default: all")
    parser.add_argument("--seconds", type=float, help="for each network; default: no limit")
    parser.add_argument("--originals", type=Path, help="folder of Fairify's networks")
    given = parser.parse_args()
    heads = "network, hidden layers, accuracy, regions, asked, fair, unfair, undecided, decided"
    print(f"| {heads.replace(', ', ' | ')} | s | s per region |")
    print("|---" * (len(heads.split(", ")) + 2) + "|")
    for name in given.network or NETWORKS:
        table, hidden = NETWORKS[name]
        if given.originals is None:
            subject = trained(table, hidden)
        else:
            subject = original(table, given.originals / table.folder / f"{name}.nnet")
        print(f"| {' | '.join(answers(name, subject, given.seconds))} |", flush=True)


if __name__ == "__main__":
    main()
