"""PGD and APGD of RAFair against torchattacks, ART and foolbox: time, and what is left right.

    bash benchmarks/peers-environment.sh DIR
    DIR/bin/python benchmarks/peers.py [NAME ...] [--seeds 200] [--steps 20] [--epsilon 0.2]
                                       [--step-size 0.01] [--threads 2] [--repeats 15] [--right]
                                       [--start default|random|seed] [--only seeds|whole]

All attack the same network on the CPU, the same rows with the same labels, cross-entropy, the same
budget, one start, all rows in one batch; RAFair alone cuts them into its own batches. The
libraries run in turn in one process; printed are the median time of each (of one thread its
processor time, with ``--threads 1``), the median and quartiles
of the pairs' ratios theirs / ours, and R-ACC, the share of rows still predicted right, averaged
over the repeats, each of which has another random seed. A row starts where its library starts by
default: at random, but with ART's PGD at the row itself. ``--start`` lets all PGDs start alike;
APGD of torchattacks and of ART always starts at random. These two leave out rows that are wrong
from the outset, RAFair does not; with ``--right`` the rows are only those that are predicted right.

Nobody moves a sensitive column.
- RAFair's Δ says so.
- ART takes a mask. Its APGD leaves the mask aside when it draws the start; here the draw is masked.
- torchattacks and foolbox have no such notion. They attack the same network as a function of the
  other columns: what the sensitive ones add to its first layer is computed beforehand and stands in
  for the bias. That takes no longer than the network itself, and they have fewer columns to move.

What is made before the clock starts: the wrapped models, the attack objects of the others, float32
rows of each library's kind. RAFair gets the rows as the dataset has them, in float64, checks the
problem and keeps the points along the way. foolbox has no APGD. The first step of ART's APGD is set
to 2ε, as in its source and in the others.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import foolbox
import numpy as np
import torch
import torchattacks
from art.attacks.evasion import AutoProjectedGradientDescent, ProjectedGradientDescentPyTorch
from art.attacks.evasion import auto_projected_gradient_descent as art_apgd
from art.estimators.classification import PyTorchClassifier
from art.utils import random_sphere
from bare import clock

import rafair
from rafair.attacks import APGD, PGD
from rafair.fairness import choose_seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from rafair.models.adapters.torch_module import TorchClassifier

    # From a random seed to the attacked rows, all columns or those that are not sensitive.
    Run = Callable[[int], Tensor]


@dataclass(frozen=True)
class Budget:
    """What every library gets."""

    steps: int
    epsilon: float
    step_size: float
    start: str


@dataclass(frozen=True)
class Task:
    """Rows to attack, and the network that they are to mislead."""

    data: rafair.Dataset
    model: TorchClassifier
    x: Tensor
    y: Tensor

    @property
    def people(self) -> rafair.Counterparts:
        return rafair.Counterparts.of(self.data.schema)

    @property
    def rows(self) -> Tensor:
        return self.x.float()

    @property
    def free(self) -> list[int]:
        """Columns that are not sensitive."""
        return [c for c in range(self.x.shape[1]) if c not in self.people.columns]

    def of(self, rows: Tensor) -> Task:
        return Task(self.data, self.model, self.x[rows], self.y[rows])

    def whole(self, x: Tensor) -> Tensor:
        """Return attacked rows with all their columns, as float32."""
        lacking = x.shape[1] < self.x.shape[1]
        return self.rows.index_copy(1, torch.tensor(self.free), x) if lacking else x.float()

    def right(self, x: Tensor) -> Tensor:
        """Tell which rows are predicted right."""
        with torch.no_grad():
            return self.model.module(self.whole(x)).argmax(dim=1) == self.y


class HeldFirstLayer(torch.nn.Module):
    """A dense layer as a function of the columns that are not sensitive, given each row's others.

    It knows its rows by their number alone, since APGD of torchattacks calls it with all rows, and
    then with those that are predicted right.
    """

    def __init__(self, layer: nn.Linear, task: Task) -> None:
        super().__init__()
        held = list(task.people.columns)
        self.weight = layer.weight[:, task.free].T.contiguous()
        base = torch.addmm(layer.bias, task.rows[:, held], layer.weight[:, held].T)
        self.bases = {len(base): base}

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bases[len(x)], x.flatten(1), self.weight)


def held_network(task: Task) -> nn.Module:
    first, *rest = task.model.module
    layer = HeldFirstLayer(first, task)
    network = torch.nn.Sequential(layer, *rest).eval()
    right = network(task.rows[:, task.free]).argmax(dim=1) == task.y
    base = layer.bases[len(task.y)]
    layer.bases[int(right.sum())] = base[right]
    return network


def rafair_runs(task: Task, budget: Budget) -> dict[str, Run]:
    people = task.people
    space = rafair.PerturbationSpace.of(task.data.schema, epsilon=budget.epsilon)
    random_start = budget.start != "seed"

    def pgd(seed: int) -> Tensor:
        attack = PGD(budget.step_size, budget.steps, random_start=random_start, random_state=seed)
        return attack.run(task.model, task.x, task.y, people, space).x_adv

    def apgd(seed: int) -> Tensor:
        attack = APGD(budget.steps, random_start=random_start, random_state=seed)
        return attack.run(task.model, task.x, task.y, people, space).x_adv

    return {"PGD": pgd, "APGD": apgd}


def torchattacks_runs(task: Task, budget: Budget) -> dict[str, Run]:
    network, rows = held_network(task), task.rows[:, task.free].contiguous()
    images = rows[:, :, None, None]  # APGD takes rows of this shape only
    pgd_attack = torchattacks.PGD(
        network, budget.epsilon, budget.step_size, budget.steps, random_start=budget.start != "seed"
    )

    def pgd(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return pgd_attack(rows, task.y)

    apgd_attack = torchattacks.APGD(network, eps=budget.epsilon, steps=budget.steps, loss="ce")

    def apgd(seed: int) -> Tensor:
        apgd_attack.seed = seed
        return apgd_attack(images, task.y).flatten(1)

    return {"PGD": pgd, "APGD": apgd}


def art_runs(task: Task, budget: Budget) -> dict[str, Run]:
    n, width = task.x.shape
    classifier = PyTorchClassifier(
        task.model.module,
        torch.nn.CrossEntropyLoss(),
        input_shape=(width,),
        nb_classes=len(task.data.schema.classes),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    rows, y = task.rows.numpy(), task.y.numpy()
    mask = np.isin(np.arange(width), task.free).astype(np.float32)
    art_apgd.random_sphere = lambda *how: mask * random_sphere(*how)
    shared = {"eps": budget.epsilon, "batch_size": n, "verbose": False, "max_iter": budget.steps}
    pgd = ProjectedGradientDescentPyTorch(
        classifier,
        eps_step=budget.step_size,
        num_random_init=1 if budget.start == "random" else 0,
        **shared,
    )
    apgd = AutoProjectedGradientDescent(
        classifier,
        eps_step=2 * budget.epsilon,
        nb_random_init=1,
        loss_type="cross_entropy",
        **shared,
    )

    def run(attack: object) -> Run:
        def attacked(seed: int) -> Tensor:
            np.random.seed(seed)  # noqa: NPY002 - ART draws from the global generator
            return torch.from_numpy(attack.generate(rows, y, mask=mask))

        return attacked

    return {"PGD": run(pgd), "APGD": run(apgd)}


def foolbox_runs(task: Task, budget: Budget) -> dict[str, Run]:
    model = foolbox.PyTorchModel(held_network(task), bounds=(0, 1), device="cpu")
    rows = task.rows[:, task.free].contiguous()
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=budget.step_size, steps=budget.steps, random_start=budget.start != "seed"
    )

    def pgd(seed: int) -> Tensor:
        torch.manual_seed(seed)
        _, clipped, _ = attack(model, rows, task.y, epsilons=budget.epsilon)
        return clipped

    return {"PGD": pgd}


LIBRARIES = {
    "rafair": rafair_runs,
    "torchattacks": torchattacks_runs,
    "art": art_runs,
    "foolbox": foolbox_runs,
}


def check(task: Task, epsilon: float, x_adv: Tensor) -> None:
    """Stop where rows leave the budget, or a sensitive column has moved."""
    x_adv = task.whole(x_adv)
    moved = (x_adv - task.rows).abs()
    if moved.max() > epsilon + 1e-6 or moved[:, list(task.people.columns)].any():
        raise RuntimeError("an attack left its budget")
    if x_adv.min() < -1e-6 or x_adv.max() > 1 + 1e-6:
        raise RuntimeError("an attack left the domain")


def compare(
    task: Task, budget: Budget, repeats: int, timed: Callable[[Callable[[], object]], float]
) -> None:
    libraries = {name: runs(task, budget) for name, runs in LIBRARIES.items()}
    for attack in ("PGD", "APGD"):
        runs = {name: made[attack] for name, made in libraries.items() if attack in made}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        right: dict[str, list[float]] = {name: [] for name in runs}
        for seed in range(repeats + 1):  # the first warms up
            for name, run in runs.items():
                ends: list[Tensor] = []
                seconds[name].append(timed(lambda: ends.append(run(seed))))  # noqa: B023
                check(task, budget.epsilon, ends[0])
                right[name].append(task.right(ends[0]).double().mean().item())
        for name in runs:
            ours, theirs = seconds["rafair"][1:], seconds[name][1:]
            ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{task.data.name:<7}{len(task.x):>6} seeds  {attack:<5}{name:<13}"
                f"{statistics.median(theirs):>9.4f} s  "
                f"ratio {middle:.2f} ({low:.2f} to {high:.2f})  "
                f"R-ACC {statistics.mean(right[name]):.4f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=["adult", "bank", "compas", "credit"])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--epsilon", type=float, default=0.2)
    parser.add_argument("--step-size", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--right", action="store_true")
    parser.add_argument("--start", choices=["default", "random", "seed"], default="default")
    parser.add_argument("--only", choices=["seeds", "whole"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    logging.disable()
    budget = Budget(options.steps, options.epsilon, options.step_size, options.start)
    sizes = {"seeds": [options.seeds], "whole": [None]}.get(options.only, [options.seeds, None])
    for name in options.datasets:
        data, model = rafair.load_dataset(name), rafair.baseline(name)
        whole = Task(data, model, data.test.x, data.test.y)
        if options.right:
            whole = whole.of(whole.right(whole.x).nonzero()[:, 0])
        for n in sizes:
            compare(
                whole.of(choose_seeds(whole.x, n)), budget, options.repeats, clock(options.threads)
            )


if __name__ == "__main__":
    main()
