"""``rafair repair``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rafair.cli.options import Device, ModelGroup, PlanGroup, Quiet, taking
from rafair.cli.sources import ModelChoice, reopen


@taking(
    model=ModelGroup(),
    changed=PlanGroup("steps", "step_size", "epsilon", "loss", usual="the audit's"),
)
def command(
    run: Annotated[Path, typer.Argument(help="A run directory written by rafair audit.")],
    model: ModelChoice,
    changed: dict[str, Any],
    label_free: Annotated[
        bool,
        typer.Option("--label-free", help="Also repair without the label, at decision time."),
    ] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> int:
    """Repair a run's instances with benign perturbations."""
    from rafair.auditing import repair_run
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report import render_pages
    from rafair.report.advised import label_free_tables
    from rafair.report.tables import rates_table, repairable_table
    from rafair.runs import load_run, update_run

    audited = load_run(run)
    classifier, data = reopen(audited.manifest, model, device)
    with progress(quiet=quiet) as on_progress:
        repaired = repair_run(
            audited, classifier, data, label_free=label_free, **changed, on_progress=on_progress
        )
    update_run(repaired, run, render_pages)
    if not quiet:
        show_table(rates_table(repaired))
        possible = repairable_table(repaired)
        for table in (*([possible] if possible else []), *label_free_tables(repaired)):
            console().print()
            show_table(table)
        console().print(f"\nReport: {run / 'report.html'}", soft_wrap=True)
    return 0
