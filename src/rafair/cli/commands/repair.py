"""``rafair repair``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.options import Quiet, Trust, UnsafePickle
from rafair.cli.sources import ModelChoice, reopen


def command(
    run: Annotated[Path, typer.Argument(help="A run directory written by rafair audit.")],
    model: Annotated[
        Path | None, typer.Option(help="The audited model, if it was moved since.")
    ] = None,
    trust: Trust = None,
    unsafe_pickle: UnsafePickle = False,
    steps: Annotated[int | None, typer.Option(help="Iterations [default: the audit's].")] = None,
    step_size: Annotated[
        float | None, typer.Option(help="Step, a share of each range [default: the audit's].")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Radius around the instance [default: steps x step].")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="[default: the audit's].")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    quiet: Quiet = False,
) -> int:
    """Repair a run's instances with benign perturbations."""
    from rafair.auditing import load_run, repair_run, update_run
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report import render_pages
    from rafair.report.tables import rates_table

    audited = load_run(run)
    choice = ModelChoice(model, trust=tuple(trust or ()), unsafe_pickle=unsafe_pickle)
    classifier, data = reopen(audited.manifest, choice, device)
    with progress(quiet=quiet) as on_progress:
        repaired = repair_run(
            audited,
            classifier,
            data,
            steps=steps,
            step_size=step_size,
            loss=loss,
            epsilon=epsilon,
            on_progress=on_progress,
        )
    update_run(repaired, run, render_pages)
    if not quiet:
        show_table(rates_table(repaired))
        console().print(f"\nReport: {run / 'report.html'}", soft_wrap=True)
    return 0
