"""Certificates of networks of FCNN(6)'s size with other activations, beside the attack `ensemble`.

python benchmarks/smooth_networks.py --seeds 50            # ten minutes on one core
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

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "leaky relu": nn.LeakyReLU,
}
HEADS = ("data", "activation", "claim", "proved", "broken", "undecided", "boxes", "s", "conflicts")
CLAIMS = ("accurate", "accurate_fair", "fair")


def trained(data: Dataset, activation: Callable[[], nn.Module]) -> Classifier:
    """Return a network with FCNN(6)'s layers, trained as ``rafair train`` trains it."""
    usual = networks.fcnn

    def changed(n_features: int, n_classes: int) -> nn.Sequential:
        layers = usual(n_features, n_classes)
        return nn.Sequential(*(activation() if isinstance(x, nn.ReLU) else x for x in layers))

    networks.fcnn = changed
    try:
        return rafair.train_fcnn(data)
    finally:
        networks.fcnn = usual


def rows(name: str, kind: str, n_seeds: int, epsilon: float) -> list[tuple[object, ...]]:
    """Return a line for each claim."""
    data = rafair.load_dataset(name)
    model = trained(data, ACTIVATIONS[kind])
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
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(*HEADS, sep=" | ")
    for name in ("adult", "bank", "compas", "credit"):
        for kind in ACTIVATIONS:
            for row in rows(name, kind, given.seeds, given.epsilon):
                print(*row, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
