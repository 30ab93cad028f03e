"""``rafair audit``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rafair.cli.options import (
    Device,
    EngineGroup,
    ModelGroup,
    PlanGroup,
    Quiet,
    SubjectGroup,
    taking,
)
from rafair.cli.resuming import Resume, check_resumable, command_of_result, kept_run
from rafair.gating import measure, parse_limits
from rafair.gating.deciding import DROPPING

if TYPE_CHECKING:
    from rafair.cli.sources import ModelChoice
    from rafair.cli.subjects import Asked
    from rafair.datasets import Dataset
    from rafair.engine import Engine
    from rafair.models import Classifier
    from rafair.runs import AuditResult

DONE, GATE_FAILED, INCONCLUSIVE = 0, 1, 3


@taking(asked=SubjectGroup(), model=ModelGroup(), plan=PlanGroup(), engine=EngineGroup())
def command(
    context: typer.Context,
    asked: Asked,
    model: ModelChoice,
    plan: dict[str, Any],
    engine: Engine,
    out: Annotated[
        Path | None, typer.Option(help="Run directory [default: runs/NAME-DATE-TIME].")
    ] = None,
    device: Device = "auto",
    fail_under: Annotated[
        list[str] | None,
        typer.Option(metavar="RATE=X", help="Exit with 1 below this, e.g. r_af=0.5; repeatable."),
    ] = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> int:
    """Measure accuracy and fairness, clean and under attack."""
    bounds = parse_limits("--fail-under", fail_under or [], DROPPING)
    check_resumable(resume, out)

    from rafair.auditing import audit
    from rafair.cli.terminal import console, progress
    from rafair.report import render_pages
    from rafair.runs import write_run

    with kept_run(out, asked.name, context.obj, resume=resume) as directory:
        source = asked.open(model, plan, directory)
        bounds = {**source.gates(), **bounds}
        classifier, data, origin = source.model(model, device)
        with progress(quiet=quiet, unit="seeds") as on_progress:
            run = audit(
                classifier,
                data,
                engine=engine,
                store=directory,
                on_progress=on_progress,
                **source.options(plan),
            )
        origin |= _latency(classifier, data)
        run = _with_origin(run, model=origin, dataset=source.origin())
        run = replace(run, manifest={**run.manifest, "command": command_of_result(context.obj)})
        write_run(run, directory, render_pages)
    failed = _failures(run.metrics, bounds)
    if not quiet:
        _show(run)
        console().print(f"\nReport: {directory.path / 'report.html'}", soft_wrap=True)
        if asked.subject is None:
            console().print(f"Plan: {directory.path / 'plan.toml'}, as drafted", soft_wrap=True)
    for line in failed:
        typer.echo(line, err=quiet)
    if failed:
        return GATE_FAILED
    return INCONCLUSIVE if run.manifest["inconclusive"] else DONE


def _with_origin(run: AuditResult, **origins: dict[str, Any]) -> AuditResult:
    """Note in the manifest where model and data can be found again."""
    noted = {part: {**run.manifest[part], **origin} for part, origin in origins.items()}
    return replace(run, manifest={**run.manifest, **noted})


def _latency(classifier: Classifier, data: Dataset) -> dict[str, float]:
    """Return what a run notes of a guard's latency, in milliseconds a row."""
    from rafair.guarding import guarded, milliseconds

    guard = guarded(classifier)
    if guard is None:
        return {}
    x = data.test.x.to(guard.device)
    return {"ms_per_row": milliseconds(guard, x), "bare_ms_per_row": milliseconds(guard.model, x)}


def _show(run: AuditResult) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.report.advised import guard_table
    from rafair.report.cautions import warnings
    from rafair.report.tables import (
        certificates_table,
        headline_table,
        members_tables,
        rates_table,
        sensitive_table,
    )
    from rafair.report.words import access, answer, guarding, has_curve, quality

    tables = [headline_table(run), rates_table(run), *members_tables(run)]
    if has_curve(run):
        tables.append(certificates_table(run.metrics, run.metrics["certificates"]["curve"]))
    for table in tables:
        show_table(table)
        console().print()
    guard = guard_table(run)
    if guard is not None:
        show_table(guard, wide=True)
        console().print()
    show_table(sensitive_table(run), wide=True)
    console().print()
    console().print(access(run.manifest))
    console().print(quality(run.manifest))
    if "guard" in run.metrics:
        console().print(guarding(run))
    for sentence in answer(run):
        console().print(sentence)
    for warning in warnings(run):
        console().print(f"Note: {warning}")


def _failures(metrics: dict[str, Any], bounds: dict[str, float]) -> list[str]:
    """Return a line for each rate that is, or may be, below its bound."""
    found = [measure(metrics, name) for name in bounds]
    return [
        f"Gate failed: {each.rate} is {each.ground} {each.value:.3f}, below {bounds[each.rate]:g}."
        for each in found
        if each.value < bounds[each.rate]
    ]
