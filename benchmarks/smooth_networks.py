"""Certificates of other networks of FCNN(6)'s size, beside the attack `ensemble`.

python benchmarks/smooth_networks.py --seeds 50            # ten minutes on one core
python benchmarks/smooth_networks.py --network embeddings  # ReLU behind a table for each category
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import torch
from torch import nn

import rafair
from rafair.attacks import Ensemble
from rafair.auditing.batches import Seeds
from rafair.models import networks
from rafair.plans import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.schema import Schema

# Numbers in a row of a table, at most.
WIDEST = 8
HEADS = ("data", "network", "claim", "proved", "broken", "undecided", "boxes", "s", "conflicts")
CLAIMS = ("accurate", "accurate_fair", "fair")


class Tables(nn.Module):
    """Looks up each column that has levels in a table of its own, and keeps the others."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        sizes = {at: len(f.domain) for at, f in enumerate(schema.features) if f.has_levels}
        self.sizes = sizes
        self.kept = [at for at in range(len(schema.features)) if at not in sizes]
        self.tables = nn.ModuleList(
            nn.Embedding(size, min(WIDEST, (size + 1) // 2)) for size in sizes.values()
        )

    @property
    def width(self) -> int:
        """Number of numbers that are returned."""
        return len(self.kept) + sum(table.embedding_dim for table in self.tables)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the columns that are kept, and the rows of the tables."""
        codes = [(x[:, at] * (size - 1)).round().long() for at, size in self.sizes.items()]
        rows = [table(code) for table, code in zip(self.tables, codes, strict=True)]
        return torch.cat([x[:, self.kept], *rows], dim=1)


def activated(activation: Callable[[], nn.Module]) -> Callable[[Schema, int], nn.Sequential]:
    """Return what makes FCNN(6) with another activation."""

    def made(schema: Schema, n_classes: int) -> nn.Sequential:
        layers = networks.fcnn(len(schema.features), n_classes)
        return nn.Sequential(*(activation() if isinstance(x, nn.ReLU) else x for x in layers))

    return made


def embedded(schema: Schema, n_classes: int) -> nn.Sequential:
    """Return FCNN(6) behind tables."""
    tables = Tables(schema)
    return nn.Sequential(tables, *networks.fcnn(tables.width, n_classes))


NETWORKS: dict[str, Callable[[Schema, int], nn.Sequential]] = {
    "tanh": activated(nn.Tanh),
    "gelu": activated(nn.GELU),
    "leaky relu": activated(nn.LeakyReLU),
    "embeddings": embedded,
}


def trained(data: Dataset, kind: str) -> Classifier:
    """Return a network with FCNN(6)'s layers, trained as ``rafair train`` trains it."""
    usual, made = networks.fcnn, NETWORKS[kind](data.schema, len(data.schema.classes))
    networks.fcnn = lambda *_: made
    try:
        return rafair.train_fcnn(data)
    finally:
        networks.fcnn = usual


def rows(name: str, kind: str, n_seeds: int, epsilon: float) -> list[tuple[object, ...]]:
    """Return a line for each claim."""
    data = rafair.load_dataset(name)
    model = trained(data, kind)
    seeds = Seeds.chosen(model, data, Plan.of(data, "gradient", n_seeds=n_seeds, epsilon=epsilon))
    space = rafair.PerturbationSpace.of(data.schema, epsilon, "paper")
    people = rafair.Counterparts.of(data.schema)
    attacked = Ensemble().run(model, seeds.x, seeds.y, people, space).broken_by >= 0
    found = []
    for claim in CLAIMS:
        start = time.process_time()
        status = rafair.certify(model, seeds.x, seeds.y, people, space, claim=claim)
        seconds = time.process_time() - start
        counts = [int((status.status == verdict).sum()) for verdict in (1, -1, 0)]
        conflicts = int((attacked & (status.status == 1)).sum()) if claim == CLAIMS[1] else "-"
        boxes = int(status.nodes.sum())
        found.append((name, kind, claim, *counts, boxes, round(seconds, 1), conflicts))
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--epsilon", type=float, default=0.05)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(*HEADS, sep=" | ")
    for name in ("adult", "bank", "compas", "credit"):
        for kind in given.network or NETWORKS:
            for row in rows(name, kind, given.seeds, given.epsilon):
                print(*row, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
