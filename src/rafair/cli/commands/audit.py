"""``rafair audit``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rafair.cli.parsing import gates, names, number_or

if TYPE_CHECKING:
    from rafair.auditing import AuditResult

ROBUST_RATES = ("r_acc", "r_if", "r_af", "tfr")
CLEAN_RATES = ("acc", "if", "af")


def command(
    dataset: Annotated[str, typer.Argument(help="adult, bank, compas or credit.")],
    model: Annotated[
        Path | None, typer.Option(help="Weights written by rafair train [default: the baseline].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory [default: runs/DATASET-DATE-TIME].")
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="N|all", help="Seeds from the test split.")] = "200",
    attack: Annotated[
        list[str] | None,
        typer.Option(help="An attack or one of its rows; repeatable [default: rafair]."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Iterations.")] = 20,
    step_size: Annotated[float, typer.Option(help="Step, a share of each range.")] = 0.01,
    epsilon: Annotated[
        float | None, typer.Option(help="Radius, a share of each range [default: steps x step].")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="mse, cross_entropy or margin [default: each attack's own]."),
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="paper or feasible [default: paper on benchmarks].")
    ] = None,
    select: Annotated[str, typer.Option(help="Judge the last or the worst iterate.")] = "last",
    sensitive: Annotated[
        str | None, typer.Option(metavar="A,B", help="Sensitive columns [default: the dataset's].")
    ] = None,
    counterparts: Annotated[
        str, typer.Option(metavar="N|all", help="Combinations of sensitive values per person.")
    ] = "all",
    random_state: Annotated[int, typer.Option(help="Of seeds and samples.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    batch_size: Annotated[
        str, typer.Option(metavar="N|auto", help="Rows per model call.")
    ] = "auto",
    certify: Annotated[
        bool, typer.Option("--certify", help="Also prove for whom nothing breaks it.")
    ] = False,
    max_nodes: Annotated[
        int, typer.Option(help="Boxes to bound per person, claim and radius (--certify).")
    ] = 5_000,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(metavar="RATE=X", help="Exit with 1 below this, e.g. r_af=0.5; repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Measure accuracy and fairness, clean and under attack."""
    bounds = gates(fail_under or [], CLEAN_RATES + ROBUST_RATES)
    n_seeds = number_or("all", "--seeds", seeds)
    n_counterparts = number_or("all", "--counterparts", counterparts)
    batch = number_or("auto", "--batch-size", batch_size)
    columns = names("--sensitive", sensitive)

    from rafair.auditing import audit, check_new_run, free_run, write_run
    from rafair.cli.sources import load_model, open_data
    from rafair.cli.terminal import console, progress
    from rafair.report import render_pages

    data = open_data(dataset, columns)
    out = out or free_run(Path("runs") / f"{dataset}-{datetime.now():%Y%m%d-%H%M%S}")
    check_new_run(out)
    classifier, origin = load_model(model, data, device)
    with progress(quiet=quiet) as on_progress:
        run = audit(
            classifier,
            data,
            attack or ["rafair"],
            n_seeds,
            random_state,
            steps=steps,
            step_size=step_size,
            epsilon=epsilon,
            loss=loss,
            setting=setting,  # type: ignore[arg-type]  # checked by Plan
            select=select,  # type: ignore[arg-type]
            counterparts=n_counterparts,
            batch_size="auto" if batch is None else batch,
            certify=certify,
            max_nodes=max_nodes,
            on_progress=on_progress,
        )
    model_facts = {**run.manifest["model"], **origin}
    run = replace(run, manifest={**run.manifest, "model": model_facts})
    write_run(run, out, render_pages)
    failed = _failures(run.metrics, bounds)
    if not quiet:
        _show(run)
        console().print(f"\nReport: {out / 'report.html'}", soft_wrap=True)
        for line in failed:
            console().print(line)
    return 1 if failed else 0


def _show(run: AuditResult) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.report.tables import (
        certificates_table,
        members_tables,
        rates_table,
        sensitive_table,
    )
    from rafair.report.words import answer, quality, warnings

    show_table(rates_table(run))
    console().print()
    for table in members_tables(run):
        show_table(table)
        console().print()
    if "certificates" in run.metrics:
        show_table(certificates_table(run.metrics, run.metrics["certificates"]["curve"]))
        console().print()
    show_table(sensitive_table(run), wide=True)
    console().print()
    console().print(quality(run.manifest))
    for sentence in answer(run):
        console().print(sentence)
    for warning in warnings(run):
        console().print(f"Note: {warning}")


def _failures(metrics: dict[str, Any], bounds: dict[str, float]) -> list[str]:
    failed = []
    for name, bound in bounds.items():
        rows = {"clean": metrics["clean"]} if name in CLEAN_RATES else metrics["attacks"]
        row, value = min(((row, rates[name]) for row, rates in rows.items()), key=lambda r: r[1])
        if value < bound:
            failed.append(f"Gate failed: {name} is {value:.3f} under {row}, below {bound:g}.")
    return failed
