"""``rafair advise``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rafair.checks import check_whole
from rafair.cli.options import Device, ModelGroup, Quiet, taking
from rafair.cli.sources import ModelChoice, reopen

if TYPE_CHECKING:
    from rafair.runs import AuditResult

ADVICE = "advice.json"


@taking(model=ModelGroup())
def command(
    run: Annotated[Path, typer.Argument(help="A run directory written by rafair audit.")],
    model: ModelChoice,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train robust networks to compare with.")
    ] = True,
    epochs: Annotated[
        int | None, typer.Option(help="Of their training [default: 2,000 steps].")
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> int:
    """Measure which change of a run's model would help most."""
    if epochs is not None:
        check_whole("--epochs", epochs, 1)

    from rafair.auditing import advise_run
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report import render_pages
    from rafair.report.advised import advice_sentences, advice_table
    from rafair.runs import load_run, update_run

    audited = load_run(run)
    classifier, data = reopen(audited.manifest, model, device)
    with progress(quiet=quiet) as on_progress:
        advised = advise_run(
            audited, classifier, data, train=train, epochs=epochs, on_progress=on_progress
        )
    update_run(advised, run, lambda result: {**render_pages(result), ADVICE: _as_json(result)})
    if not quiet:
        if (table := advice_table(advised)) is not None:
            show_table(table)
        for sentence in ("", *advice_sentences(advised)):
            console().print(sentence)
        console().print(f"\nAdvice: {run / ADVICE}\nReport: {run / 'report.html'}", soft_wrap=True)
    return 0


def _as_json(advised: AuditResult) -> bytes:
    from rafair.runs.layout import as_json

    content: dict[str, Any] = {
        "dataset": advised.metrics["dataset"],
        "epsilon": advised.manifest["plan"]["epsilon"],
        "n_seeds": advised.metrics["n_seeds"],
        "n_test": advised.manifest["dataset"]["n_test"],
        "options": advised.metrics["advice"],
    }
    return as_json(content)
