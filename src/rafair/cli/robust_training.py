"""``rafair train --method``: trains, keeps checkpoints, measures, and tells a collapse."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rafair.cli.sources import Source
    from rafair.training import Figures, Options, Task

__all__ = ["RobustChoice", "train_robust"]

DONE, COLLAPSED = 0, 3
# Epochs between two lines of progress where standard error is no terminal.
EVERY = 10
BENCHMARK_EPSILON = 0.05


@dataclass(frozen=True)
class RobustChoice:
    """What is asked of robust training; None or False where nothing was given."""

    method: str | None = None
    epsilon: float | None = None
    setting: str | None = None
    strength: float | None = None
    without_sensitive: bool = False
    balance: float | None = None
    resume: bool = False
    depth: int | None = None
    monotone: Mapping[str, str] | None = None

    def check_unused(self) -> None:
        """Refuse options of robust training where no method is named.

        Raises
        ------
        InvalidInput
        """
        for name, value in vars(self).items():
            if value not in (None, False):
                flag = f"--{name.replace('_', '-')}"
                raise InvalidInput(f"{flag} is for robust training; name how with --method")

    def check_for_pareto(self) -> None:
        """Refuse what ``--pareto`` varies itself.

        Raises
        ------
        InvalidInput
        """
        for name, value in vars(self).items():
            if name not in ("epsilon", "setting", "resume") and value not in (None, False):
                flag = f"--{name.replace('_', '-')}"
                raise InvalidInput(f"--pareto tries several values of {flag}; leave it away")

    def task(self, source: Source) -> Task:
        """Return the people of the training split, with I(v) and Δ.

        Raises
        ------
        InvalidInput
        """
        from rafair.training import Task

        data, balance = source.data, self.balance or 0.0
        people, space = self.problem(source)
        classes = len(data.schema.classes)
        return Task.of(data.train.x, data.train.y, classes, people, space, balance)

    def options(self, source: Source, epochs: int | None, random_state: int) -> Options:
        """Return how a model is trained.

        Raises
        ------
        InvalidInput
        """
        from rafair.training import Options, directions_of

        return Options(
            self.without_sensitive,
            self.balance or 0.0,
            epochs,
            random_state=random_state,
            depth=1 if self.depth is None else self.depth,
            monotone=directions_of(source.data.schema, self.monotone or {}),
        )

    def radius(self, source: Source) -> float:
        """Return ε."""
        from rafair.plans.plan import OWN_EPSILON

        usual = BENCHMARK_EPSILON if source.data.is_benchmark else OWN_EPSILON
        return usual if self.epsilon is None else self.epsilon

    def problem(self, source: Source) -> tuple[Any, Any]:
        """Return I(v) and Δ."""
        from rafair.problem import Counterparts, PerturbationSpace

        schema, epsilon = source.data.schema, self.radius(source)
        space = PerturbationSpace.of(schema, epsilon, self.setting)  # type: ignore[arg-type]
        return Counterparts.of(schema), space


def train_robust(
    source: Source,
    choice: RobustChoice,
    target: Path,
    epochs: int | None,
    random_state: int,
    *,
    quiet: bool,
) -> int:
    """Train by a method, write the network, and print its figures beside the constant model's."""
    from rafair.models import serialise_model, wrap
    from rafair.runs.files import replace_file
    from rafair.training import fit_robust, make_method, measuring

    schema, test = source.data.schema, source.data.test
    method = make_method(str(choice.method), choice.strength)
    options = choice.options(source, epochs, random_state)
    task, kept = choice.task(source), target.with_name(f"{target.name}.checkpoint")
    keep, state = _checkpoints(kept, (method, task, options), resume=choice.resume)
    trained = fit_robust(method, task, options, on_epoch=_told(quiet), keep=keep, state=state)
    model = wrap(trained.network, schema, output="logits")
    rows = (test.x, test.y, *choice.problem(source))
    found = measuring.measured(model, *rows, n_people=measuring.PEOPLE)
    replace_file(target, serialise_model(trained.network, schema, found.as_dict()))
    kept.unlink(missing_ok=True)
    if not quiet:
        _show(source, choice, found, target)
    if found.collapsed(len(schema.classes)):
        told = "the model became the constant model (balanced accuracy {:.3f})".format
        advice = "train with --balanced, another --strength or a smaller --epsilon"
        print(f"collapsed: {told(found.balanced_accuracy)}; {advice}", file=sys.stderr)
        return COLLAPSED
    return DONE


def _checkpoints(
    path: Path, training: tuple[Any, Any, Any], *, resume: bool
) -> tuple[Callable[[dict[str, Any]], None], dict[str, Any] | None]:
    """Return what keeps the state of an epoch, and the state to go on from."""
    from rafair.runs.files import replace_file
    from rafair.training.checkpoint import (
        identity_of_training,
        read_checkpoint,
        serialise_checkpoint,
    )

    identity = identity_of_training(*training)
    if resume and not path.is_file():
        raise InvalidInput(f"{path}: no checkpoint to resume; leave --resume away")
    with naming(path):
        state = read_checkpoint(path.read_bytes(), identity) if resume else None
    return lambda found: replace_file(path, serialise_checkpoint(identity, found)), state


def _told(quiet: bool) -> Callable[[int, int, Figures], None]:
    """Return what shows the figures of an epoch in a line of standard error."""
    is_terminal = sys.stderr.isatty()

    def show(done: int, total: int, figures: Figures) -> None:
        if quiet or not (is_terminal or done % EVERY == 0 or done == total):
            return
        line = (
            f"epoch {done}/{total}  loss {figures.loss:.3f}  accuracy {figures.accuracy:.3f}  "
            f"certified R-AF {figures.r_af:.3f}, balanced {figures.r_af_balanced:.3f}"
        )
        print(line, file=sys.stderr, end="\r" if is_terminal and done < total else "\n", flush=True)

    return show


def _show(source: Source, choice: RobustChoice, found: Any, target: Path) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.report.tables import Table
    from rafair.training.measuring import constant_measured

    rows = []
    constant = constant_measured(source.data.test.y, found)
    for name, each in ((str(choice.method), found), ("constant model", constant)):
        figures = (each.accuracy, each.balanced_accuracy, each.r_af, each.r_af_balanced)
        rows.append((name, *(f"{figure:.3f}" for figure in (*figures, each.attacked))))
    heads = ("", "accuracy", "balanced", "proved R-AF", "balanced R-AF", "attacked R-AF")
    title = (
        f"{source.name}: accuracy on {len(source.data.test):,} test people, proofs about "
        f"and attacks on {found.n_people:,} of them"
    )
    show_table(Table(title, heads, rows))
    console().print(f"\nWeights: {target}", soft_wrap=True)
