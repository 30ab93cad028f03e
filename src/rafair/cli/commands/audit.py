"""``rafair audit``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rafair.cli.options import (
    Address,
    EngineName,
    Inputs,
    Jobs,
    Model,
    ModelOutput,
    Quiet,
    Sensitive,
    Subject,
    Trust,
    UnsafePickle,
)
from rafair.cli.parsing import CLEAN_RATES, engine, gates, given, names, number_or
from rafair.cli.resuming import Resume, check_resumable, resumable
from rafair.cli.sources import ModelChoice, Source

if TYPE_CHECKING:
    from rafair.auditing import AuditResult

DONE, GATE_FAILED, INCONCLUSIVE = 0, 1, 3


def command(
    context: typer.Context,
    subject: Subject,
    model: Model = None,
    model_inputs: Inputs = None,
    model_output: ModelOutput = None,
    trust: Trust = None,
    unsafe_pickle: UnsafePickle = False,
    out: Annotated[
        Path | None, typer.Option(help="Run directory [default: runs/NAME-DATE-TIME].")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="N|all", help="Seeds from the test split [default: 200].")
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="An attack or one of its rows; repeatable [default: rafair, or square for a "
            "model without gradients]."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Iterations [default: 20].")] = None,
    step_size: Annotated[
        float | None, typer.Option(help="Step, a share of each range [default: 0.01].")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Radius, a share of each range [default: steps x step].")
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(
            help="Rows per seed that attacks without gradients ask about [default: 5000]."
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="mse, cross_entropy or margin [default: each attack's own]."),
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(help="paper or feasible [default: paper on benchmarks, feasible on plans]."),
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Judge the last or the worst iterate [default: last].")
    ] = None,
    sensitive: Sensitive = None,
    counterparts: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Combinations of sensitive values per person [default: all]."
        ),
    ] = None,
    random_state: Annotated[
        int | None, typer.Option(help="Of seeds and samples [default: 0].")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    batch_size: Annotated[
        str, typer.Option(metavar="N|auto", help="Rows per model call.")
    ] = "auto",
    certify: Annotated[
        bool, typer.Option("--certify", help="Also prove for whom nothing breaks it.")
    ] = False,
    max_nodes: Annotated[
        int | None,
        typer.Option(help="Boxes to bound per person, claim and radius [default: 5000]."),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(metavar="RATE=X", help="Exit with 1 below this, e.g. r_af=0.5; repeatable."),
    ] = None,
    jobs: Jobs = None,
    engine_name: EngineName = "processes",
    address: Address = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> int:
    """Measure accuracy and fairness, clean and under attack."""
    bounds = gates(fail_under or [])
    numbers = {
        "n_seeds": given("all", "--seeds", seeds),
        "counterparts": given("all", "--counterparts", counterparts),
    }
    batch = number_or("auto", "--batch-size", batch_size)
    columns = names("--sensitive", sensitive)
    choice = ModelChoice(model, model_inputs, model_output, tuple(trust or ()), unsafe_pickle)
    workers = engine(jobs, engine_name, address)
    check_resumable(resume, out)

    from rafair.auditing import RunDirectory, audit, free_run, write_run
    from rafair.cli.terminal import console, progress
    from rafair.report import render_pages

    source = Source.open(subject, columns)
    bounds = {**source.gates(), **bounds}
    out = out or free_run(Path("runs") / f"{source.name}-{datetime.now():%Y%m%d-%H%M%S}")
    with RunDirectory(out, resume=resume) as directory, resumable(directory, context.obj):
        classifier, origin = source.model(choice, device)
        options = source.options(
            attacks=attack,
            steps=steps,
            step_size=step_size,
            epsilon=epsilon,
            queries=queries,
            loss=loss,
            setting=setting,
            select=select,
            random_state=random_state,
            certify=certify or None,
            max_nodes=max_nodes,
        )
        options |= {key: number[0] for key, number in numbers.items() if number}
        with progress(quiet=quiet, unit="seeds") as on_progress:
            run = audit(
                classifier,
                source.data,
                batch_size="auto" if batch is None else batch,
                engine=workers,
                store=directory,
                on_progress=on_progress,
                **options,
            )
        facts = {
            "model": {**run.manifest["model"], **origin},
            "dataset": {**run.manifest["dataset"], **source.facts()},
        }
        run = replace(run, manifest={**run.manifest, **facts})
        write_run(run, directory, render_pages)
    failed = _failures(run.metrics, bounds)
    if not quiet:
        _show(run)
        console().print(f"\nReport: {out / 'report.html'}", soft_wrap=True)
        for line in failed:
            console().print(line)
    if failed:
        return GATE_FAILED
    return INCONCLUSIVE if run.manifest["inconclusive"] else DONE


def _show(run: AuditResult) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.report.tables import (
        certificates_table,
        members_tables,
        rates_table,
        sensitive_table,
    )
    from rafair.report.words import access, answer, quality, warnings

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
    console().print(access(run.manifest))
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
