"""``rafair train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rafair.checks import check_whole
from rafair.cli.options import Quiet, Sensitive, Subject
from rafair.cli.pareto import train_pareto
from rafair.cli.parsing import directions, names
from rafair.cli.robust_training import RobustChoice, train_robust
from rafair.cli.sources import Source
from rafair.errors import InvalidInput
from rafair.plans.plan import LARGEST_RANDOM_STATE

if TYPE_CHECKING:
    from rafair.models.adapters.torch_module import TorchClassifier

METHODS = (
    "boosted-stumps, certified, adversarial, worst-counterpart, counterpart, rafair, logistic or "
    "standard"
)


def command(
    subject: Subject,
    out: Annotated[
        Path | None,
        typer.Option(help="Weights [default: NAME.safetensors here]; a directory with --pareto."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="[default: 30, or 60 with --method; more for few rows]")
    ] = None,
    random_state: Annotated[int, typer.Option(help="Of initial weights and batches.")] = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="30 epochs without L2 penalty and averaged weights.")
    ] = False,
    method: Annotated[
        str | None,
        typer.Option("--method", "--robust", metavar="NAME", help=f"Train robustly: {METHODS}."),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(help="With --method: Δ to train for [default: 0.1; 0.05 on benchmarks]."),
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(
            help="With --method: paper or feasible [default: feasible; paper on benchmarks]."
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="With --method: weight of the robust loss [default: the method's]."),
    ] = None,
    without_sensitive: Annotated[
        bool,
        typer.Option("--without-sensitive", help="With --method: read no sensitive column."),
    ] = False,
    balance: Annotated[
        float | None,
        typer.Option(help="With --method: 0 weighs people alike, 1 the classes [default: 0]."),
    ] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="The same as --balance 1.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --method: go on from the last epoch that ended.")
    ] = False,
    depth: Annotated[
        int | None,
        typer.Option(help="With boosted-stumps: tests in a row of trees behind the stumps."),
    ] = None,
    monotone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=WORD",
            help="With boosted-stumps: increasing or decreasing, e.g. income=increasing; "
            "repeatable.",
        ),
    ] = None,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto", help="Train many and draw accuracy against proved R-AF, into --out DIR."
        ),
    ] = False,
    sensitive: Sensitive = None,
    quiet: Quiet = False,
) -> int:
    """Train and measure the baseline network FCNN(6), or a robust one."""
    columns = names("--sensitive", sensitive)
    if balanced and balance is not None:
        raise InvalidInput("--balanced is --balance 1; give one of them")
    weight = 1.0 if balanced else balance
    ways = directions("--monotone", monotone) if monotone else None
    given = (method, epsilon, setting, strength, without_sensitive, weight, resume, depth, ways)
    choice = RobustChoice(*given)
    check_whole("random_state", random_state, 0, LARGEST_RANDOM_STATE)
    if pareto:
        choice.check_for_pareto()
    elif method is None:
        choice.check_unused()
    if plain and (pareto or method is not None):
        raise InvalidInput("--plain is for the baseline; leave it away")

    from rafair.runs.files import check_file_target

    source = Source.open(subject, columns)
    if pareto:
        directory = out or Path(f"runs/{source.name}-pareto")
        return train_pareto(source, choice, directory, epochs, random_state, quiet=quiet)
    target = out or Path(f"{source.name}.safetensors")
    check_file_target(target)
    if method is not None:
        return train_robust(source, choice, target, epochs, random_state, quiet=quiet)
    model = _baseline(source, epochs, random_state, plain=plain, quiet=quiet)
    _write(source, model, target, quiet=quiet)
    return 0


def _baseline(
    source: Source, epochs: int | None, random_state: int, *, plain: bool, quiet: bool
) -> TorchClassifier:
    from rafair.cli.terminal import progress
    from rafair.models import epochs_for, train_fcnn

    data = source.data
    total = epochs_for(len(data.train.y), plain=plain) if epochs is None else epochs
    with progress(quiet=quiet) as on_progress:
        return train_fcnn(
            data,
            random_state=random_state,
            epochs=total,
            plain=plain,
            on_epoch=lambda done: on_progress("epochs", done, total),
        )


def _write(source: Source, model: TorchClassifier, target: Path, *, quiet: bool) -> None:
    from rafair.cli.terminal import console
    from rafair.fairness import model_quality
    from rafair.models import serialise_fcnn
    from rafair.problem import Counterparts
    from rafair.runs.files import replace_file

    data = source.data
    people = Counterparts.of(data.schema)
    figures = model_quality(model, data.test.x, data.test.y, people)
    replace_file(target, serialise_fcnn(model.module, data.schema, figures))
    if not quiet:
        for name, value in figures.items():
            console().print(f"{name.replace('_', ' '):<18} {value:.4f}")
        console().print(f"Weights: {target}", soft_wrap=True)
