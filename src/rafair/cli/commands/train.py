"""``rafair train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafair.checks import check_whole
from rafair.cli.options import Quiet, Sensitive, Subject
from rafair.cli.parsing import names
from rafair.cli.sources import Source
from rafair.plans.plan import LARGEST_RANDOM_STATE


def command(
    subject: Subject,
    out: Annotated[
        Path | None, typer.Option(help="Weights [default: NAME.safetensors here].")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="[default: 30, more for few rows]")] = None,
    random_state: Annotated[int, typer.Option(help="Of initial weights and batches.")] = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="30 epochs without L2 penalty and averaged weights.")
    ] = False,
    sensitive: Sensitive = None,
    quiet: Quiet = False,
) -> int:
    """Train and measure the baseline network FCNN(6)."""
    columns = names("--sensitive", sensitive)

    from rafair.cli.terminal import console, progress
    from rafair.fairness import model_quality
    from rafair.models import epochs_for, serialise_fcnn, train_fcnn
    from rafair.problem import Counterparts
    from rafair.runs.files import check_file_target, replace_file

    check_whole("random_state", random_state, 0, LARGEST_RANDOM_STATE)
    source = Source.open(subject, columns)
    data = source.data
    target = out or Path(f"{source.name}.safetensors")
    check_file_target(target)
    total = epochs_for(len(data.train.y), plain=plain) if epochs is None else epochs
    with progress(quiet=quiet) as on_progress:
        model = train_fcnn(
            data,
            random_state=random_state,
            epochs=total,
            plain=plain,
            on_epoch=lambda done: on_progress("epochs", done, total),
        )
    people = Counterparts.of(data.schema)
    figures = model_quality(model, data.test.x, data.test.y, people)
    replace_file(target, serialise_fcnn(model.module, data.schema, figures))
    if not quiet:
        for name, value in figures.items():
            console().print(f"{name.replace('_', ' '):<18} {value:.4f}")
        console().print(f"Weights: {target}", soft_wrap=True)
    return 0
