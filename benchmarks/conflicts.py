"""Certificates against whatever may contradict them: other libraries, chance, an exact solver.

    bash benchmarks/peers-environment.sh DIR
    DIR/bin/python benchmarks/conflicts.py [NAME ...] [--epsilon 0.01 --epsilon 0.05] [--seeds 200]
                                           [--claim accurate_fair|accurate|fair] [--points 1000000]
                                           [--counterparts 4] [--restarts 5] [--steps 40]
                                           [--milp 0] [--threads 2]

Seeds of each dataset are certified with the shipped network, setting *paper*. Then

- each witness of a broken instance is looked at again: is it inside Δ, in numpy and float64, is its
  counterpart in I(v), and does the bare torch module decide them as the certificate says?
- each proved instance is attacked. PGD of torchattacks and of foolbox run against the member of
  I(v) with the smallest margin at the seed, and against some drawn at random. They know nothing of
  sensitive columns: these are folded into the first layer's bias, as in ``peers.py``, and logits
  are divided by the margin at the start, so that the softmax of a sure network still has a slope.
- random points of Δ, with half of their columns at a bound, and random members of I(v) are tried.
  Both are run on the broken instances as well, for their strength: how many of these do they break?
- with ``--milp N``, HiGHS finds the least margin exactly around N proved instances, with the
  sensitive values of the worst member at the seed and of random ones held, and around the N broken
  ones with the smallest error, with the values of their witness held; a minute for each at most,
  some seconds at ε = 0.05.

A point contradicts a proof if the bare module decides it wrongly, in its own type or in float64, or
if ``rafair.judge`` says of it what was ruled out. The exit status is 1 if anything is contradicted.
A library that is not installed is left out, with a line that says so.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from exact_margin import least_margin

import rafair
from rafair.fairness import choose_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exact_margin import Least
    from torch import Tensor, nn

    from rafair.models.adapters.torch_module import TorchClassifier

    # From a network, rows in float32, labels and options to the attacked rows.
    Attack = Callable[[nn.Module, Tensor, Tensor, float, argparse.Namespace], Tensor]
    # Instances, the people tried, and who of them contradicts a proof.
    Trial = tuple[Tensor, Tensor, Tensor]

PROVED, BROKEN, UNDECIDED = 1, -1, 0
# What rounding may change in a coordinate, and in a margin in float32.
ROUNDING, SINGLE = 1e-12, 1e-4
POINTS_AT_ONCE = 8192
SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Case:
    """Seeds of one dataset and what is claimed of them under one ε."""

    model: TorchClassifier
    people: rafair.Counterparts
    space: rafair.PerturbationSpace
    x: Tensor
    y: Tensor  # what everyone is claimed to be decided
    claim: str
    found: rafair.Certificate

    @property
    def epsilon(self) -> float:
        return float(self.space.epsilon)

    @property
    def columns(self) -> list[int]:
        return list(self.people.columns)

    @property
    def free(self) -> list[int]:
        return [column for column in range(self.x.shape[1]) if column not in self.columns]

    @cached_property
    def modules(self) -> list[nn.Module]:
        """The bare module, and the same in float64."""
        return [self.model.module, copy.deepcopy(self.model.module).double()]

    def rows(self, status: int) -> Tensor:
        return (self.found.status == status).nonzero()[:, 0]

    def margins(self, people: Tensor, y: Tensor) -> Tensor:
        """Return z_y − max over j ≠ y of z_j in float64, shape (n,)."""
        with torch.no_grad():
            z = self.modules[1](people)
        rivals = z.scatter(1, y.unsqueeze(1), -torch.inf).amax(dim=1)
        return z.gather(1, y.unsqueeze(1))[:, 0] - rivals

    def decided_wrongly(self, rows: Tensor, people: Tensor) -> Tensor:
        return torch.stack(
            [decisions(module, people) != self.y[rows] for module in self.modules]
        ).any(dim=0)

    def judged_wrongly(self, rows: Tensor, points: Tensor) -> Tensor:
        verdict = rafair.judge(self.model, points, self.y[rows], self.people)
        ruled_out = {
            "accurate_fair": verdict.cells != 0,
            "accurate": ~verdict.accurate,
            "fair": ~verdict.fair,
        }
        return ruled_out[self.claim]

    def worst(self, rows: Tensor) -> Tensor:
        """Return who of I(v) has the smallest margin at each seed: a row of the grid, −1 for v."""
        if self.claim == "accurate":
            return torch.full_like(rows, -1)
        least = []
        for row in rows:
            v, y = self.x[row : row + 1], self.y[row]
            everyone = torch.cat([v, self.people.rows(v)])
            least.append(self.margins(everyone, y.expand(len(everyone))).argmin() - 1)
        return torch.stack(least)

    def drawn(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw members of I(v): rows of the grid, −1 for v."""
        if self.claim == "accurate":
            return torch.full((n,), -1)
        return torch.randint(-1, len(self.people), (n,), generator=generator)


def decisions(module: nn.Module, people: Tensor) -> Tensor:
    with torch.no_grad():
        return module(people.to(next(module.parameters()).dtype)).argmax(dim=1)


@dataclass
class Tally:
    """What came out of one kind of attempt."""

    kind: str
    tried: int = 0
    conflicts: int = 0
    note: str = ""

    def add(self, wrong: Tensor) -> None:
        self.tried += len(wrong)
        self.conflicts += int(wrong.sum())

    def __str__(self) -> str:
        return f"  {self.kind:<18}{self.tried:>10,} tried, {self.conflicts} conflicts{self.note}"

    def say_undecided(self, undecided: int) -> Tally:
        """Note how many a solver found neither right nor wrong."""
        agree = self.tried - self.conflicts - undecided
        self.note = f"; {agree} agree, {undecided} undecided in time"
        return self


def report(kind: str, case: Case, rows: Tensor, people: Tensor, wrong: Tensor) -> None:
    """Print the first person that contradicts a proof."""
    if not wrong.any():
        return
    at = int(wrong.to(torch.int8).argmax())
    y = case.y[rows[at : at + 1]]
    margin = float(case.margins(people[at : at + 1], y)[0])
    print(f"  CONFLICT ({kind}): seed {int(rows[at])}, margin {margin:.3g}")
    print(f"    {people[at].tolist()}", flush=True)


# Witnesses -----------------------------------------------------------------------------------


def witnesses(case: Case) -> Tally:
    """Check each witness without any of the package's own code."""
    tally, rows = Tally("witnesses"), case.rows(BROKEN)
    if not len(rows):
        return tally
    witness, other = case.found.witness[rows], case.found.witness_counterpart[rows]
    decided, others = (decisions(case.model.module, people) for people in (witness, other))
    against = others != (decided if case.claim == "fair" else case.y[rows])
    reached = [
        in_reach(case, *(people[at].numpy() for people in (case.x[rows], witness, other)))
        for at in range(len(rows))
    ]
    wrong = ~(against & torch.tensor(reached))
    tally.add(wrong)
    report(tally.kind, case, rows, other, wrong)
    return tally


def in_reach(case: Case, v: np.ndarray, witness: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether a witness lies in Δ around v, and its counterpart in I(v)."""
    near = np.abs(witness - v).max() <= case.epsilon + ROUNDING
    inside = witness[case.free].min() >= -ROUNDING and witness[case.free].max() <= 1 + ROUNDING
    unmoved = np.array_equal(witness[case.columns], v[case.columns])
    alike = np.array_equal(witness[case.free], other[case.free])
    grid = case.people.grid.numpy()
    if case.claim == "accurate":
        grid = grid[:0]
    known = np.vstack([grid, v[case.columns]])
    member = (np.abs(known - other[case.columns]) <= ROUNDING).all(axis=1).any()
    return bool(near and inside and unmoved and alike and member)


# Other libraries -----------------------------------------------------------------------------


class Folded(torch.nn.Module):
    """A network of dense layers as a function of the columns that are not sensitive.

    What the sensitive columns of each row add to the first layer is its bias. The rows always come
    in the same order and number.
    """

    def __init__(self, case: Case, people: Tensor, y: Tensor) -> None:
        super().__init__()
        first, *rest = case.model.module
        held = people[:, case.columns].to(first.weight.dtype)
        self.weight = first.weight.detach()[:, case.free].T.contiguous()
        self.base = torch.addmm(first.bias, held, first.weight[:, case.columns].T).detach()
        self.rest = torch.nn.Sequential(*rest)
        size = case.margins(people, y).abs().clamp_min(1e-3)
        self.size = size.to(first.weight.dtype).unsqueeze(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(torch.addmm(self.base, x, self.weight)) / self.size


def torchattacks_pgd(
    network: nn.Module, rows: Tensor, y: Tensor, epsilon: float, options: argparse.Namespace
) -> Tensor:
    import torchattacks

    step = 2.5 * epsilon / options.steps
    return torchattacks.PGD(network, epsilon, step, options.steps, random_start=True)(rows, y)


def foolbox_pgd(
    network: nn.Module, rows: Tensor, y: Tensor, epsilon: float, options: argparse.Namespace
) -> Tensor:
    import foolbox

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    step = 2.5 * epsilon / options.steps
    attack = foolbox.attacks.LinfPGD(abs_stepsize=step, steps=options.steps, random_start=True)
    return attack(model, rows, y, epsilons=epsilon)[1]


LIBRARIES: dict[str, Attack] = {"torchattacks": torchattacks_pgd, "foolbox": foolbox_pgd}


def attacked(
    case: Case, instances: Tensor, library: str, options: argparse.Namespace
) -> Iterator[Trial]:
    """Run a library's PGD against the worst and some random members of I(v)."""
    generator = torch.Generator().manual_seed(0)
    more = 0 if case.claim == "accurate" else options.counterparts
    rows, worst = instances.repeat(1 + more), case.worst(instances)
    for restart in range(options.restarts):
        who = torch.cat([worst, case.drawn(more * len(instances), generator)])
        people, y = case.people.take(case.x[rows], who), case.y[rows]
        network = Folded(case, people, y).eval()
        start = people[:, case.free].float()
        torch.manual_seed(restart)
        end = LIBRARIES[library](network, start, y, case.epsilon, options).detach()
        points = case.x[rows].index_copy(1, torch.tensor(case.free), end.double())
        points = case.space.project(points, case.x[rows])
        ends = case.people.take(points, who)
        yield rows, ends, case.decided_wrongly(rows, ends) | case.judged_wrongly(rows, points)


# Chance --------------------------------------------------------------------------------------


def searched(case: Case, instances: Tensor, points: int) -> Iterator[Trial]:
    """Try random points of Δ with random members of I(v), as many for each instance."""
    generator = torch.Generator().manual_seed(1)
    for numbers in torch.arange(points).split(POINTS_AT_ONCE):
        rows = instances[numbers % len(instances)]
        low, high = case.space.bounds(case.x[rows])
        share, corner = (
            torch.rand(low.shape, generator=generator, dtype=low.dtype) for _ in range(2)
        )
        share = torch.where(corner < 0.5, share.round(), share)
        who = case.drawn(len(rows), generator)
        people = case.people.take(low + share * (high - low), who)
        yield rows, people, case.decided_wrongly(rows, people)


def tried(kind: str, case: Case, attempt: Callable[[Tensor], Iterator[Trial]]) -> Tally:
    """Make an attempt on the proved instances, and on the broken ones for comparison."""
    tally, proved, broken = Tally(kind), case.rows(PROVED), case.rows(BROKEN)
    for rows, people, wrong in attempt(proved) if len(proved) else ():
        tally.add(wrong)
        report(kind, case, rows, people, wrong)
    hit = torch.zeros(len(case.x), dtype=torch.bool)
    for rows, _, wrong in attempt(broken) if len(broken) else ():
        hit[rows[wrong]] = True
    tally.note = f"; breaks {int(hit.sum())} of {len(broken)} broken ones"
    return tally


# An exact solver -----------------------------------------------------------------------------


def solved_proved(case: Case, options: argparse.Namespace) -> Tally:
    """Find the least margin exactly around some proved instances: it is positive."""
    tally, generator = Tally("HiGHS, proved"), torch.Generator().manual_seed(2)
    rows, undecided = case.rows(PROVED)[: options.milp], 0
    for at in range(len(rows)):
        row = rows[at : at + 1]
        whose = torch.cat([case.worst(row), case.drawn(options.counterparts, generator)])
        for who in whose.unique():
            person = case.people.take(case.x[row], who[None])
            least = exactly(case, row, person)
            tally.add(torch.tensor([least.above <= 0]))
            undecided += int(least.below <= 0 < least.above)
            if least.above <= 0:
                point = torch.from_numpy(least.point)[None]
                report(tally.kind, case, row, point, torch.tensor([True]))
    return tally.say_undecided(undecided)


def solved_broken(case: Case, options: argparse.Namespace) -> Tally:
    """Find the least margin exactly around the broken instances with the smallest errors."""
    tally, rows, undecided = Tally("HiGHS, broken"), case.rows(BROKEN), 0
    people = case.found.witness_counterpart[rows]
    order = case.margins(people, case.y[rows]).argsort(descending=True)[: options.milp]
    for at in order:
        row, person = rows[at : at + 1], people[at : at + 1]
        least = exactly(case, row, person)
        wrong = torch.tensor([least.below > SINGLE])
        tally.add(wrong)
        undecided += int(least.below <= SINGLE < least.above)
        report(tally.kind, case, row, person, wrong)
    return tally.say_undecided(undecided)


def exactly(case: Case, row: Tensor, person: Tensor) -> Least:
    """Bracket the least margin over Δ around a seed, with a person's sensitive values held."""
    low, high = (bound[0].numpy().copy() for bound in case.space.bounds(case.x[row]))
    low[case.columns] = high[case.columns] = person[0, case.columns].numpy()
    dense = [layer for layer in case.modules[1] if isinstance(layer, torch.nn.Linear)]
    layers = [(d.weight.detach().numpy(), d.bias.detach().numpy()) for d in dense]
    return least_margin(layers, low, high, int(case.y[row]), SECONDS)


# ---------------------------------------------------------------------------------------------


def certified(name: str, epsilon: float, options: argparse.Namespace) -> Case:
    """Certify seeds, and say what came out."""
    data, model = rafair.load_dataset(name), rafair.baseline(name)
    chosen = choose_seeds(data.test.x, options.seeds)
    x, y = data.test.x[chosen], data.test.y[chosen]
    people = rafair.Counterparts.of(data.schema)
    space = rafair.PerturbationSpace.of(data.schema, epsilon)
    start = time.perf_counter()
    found = rafair.certify(model, x, y, people, space, claim=options.claim)
    each = 1000 * (time.perf_counter() - start) / len(x)
    counts = ", ".join(
        f"{int((found.status == status).sum())} {word}"
        for word, status in {"proved": PROVED, "broken": BROKEN, "undecided": UNDECIDED}.items()
    )
    print(f"{name}, epsilon {epsilon}: {len(x)} seeds, {counts}; {each:.1f} ms each", flush=True)
    claimed = decisions(model.module, x) if options.claim == "fair" else y
    return Case(model, people, space, x, claimed, options.claim, found)


def attempts(case: Case, libraries: list[str], options: argparse.Namespace) -> Iterator[Tally]:
    yield witnesses(case)
    for library in libraries:
        attack = partial(attacked, case, library=library, options=options)
        yield tried(f"{library} PGD", case, attack)
    yield tried("random points", case, partial(searched, case, points=options.points))
    if options.milp:
        yield solved_proved(case, options)
        if options.claim != "fair":
            yield solved_broken(case, options)


def installed() -> list[str]:
    """Return the libraries that are there, and name those that are not."""
    there = [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]
    for name in LIBRARIES:
        if name not in there:
            print(f"{name} is not installed: left out")
    return there


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=["adult", "bank", "compas", "credit"])
    parser.add_argument("--epsilon", type=float, action="append")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument(
        "--claim", choices=["accurate_fair", "accurate", "fair"], default="accurate_fair"
    )
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--counterparts", type=int, default=4)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--milp", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    libraries = installed()
    conflicts = 0
    for name in options.datasets:
        for epsilon in options.epsilon or [0.01, 0.05]:
            case = certified(name, epsilon, options)
            for tally in attempts(case, libraries, options):
                print(tally, flush=True)
                conflicts += tally.conflicts
    print(f"{conflicts} conflicts")
    sys.exit(1 if conflicts else 0)


if __name__ == "__main__":
    main()
