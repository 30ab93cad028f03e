"""``rafair certify``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

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
from rafair.cli.parsing import engine, given, names
from rafair.cli.resuming import Resume, check_resumable, resumable
from rafair.cli.sources import ModelChoice, Source

DEFAULT_EPSILON = 0.05
OPTIONS = ("n_seeds", "counterparts", "random_state", "setting")


def command(
    context: typer.Context,
    subject: Subject,
    model: Model = None,
    model_inputs: Inputs = None,
    model_output: ModelOutput = None,
    trust: Trust = None,
    unsafe_pickle: UnsafePickle = False,
    out: Annotated[
        Path | None, typer.Option(help="Directory [default: runs/NAME-certified-DATE-TIME].")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="N|all", help="Seeds from the test split [default: 200].")
    ] = None,
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="Radius, a share of each range; repeatable [default: 0.05]."),
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(help="paper or feasible [default: paper on benchmarks, feasible on plans]."),
    ] = None,
    sensitive: Sensitive = None,
    counterparts: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Combinations of sensitive values per person [default: all]."
        ),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(help="accurate_fair, accurate or fair; repeatable [default: all three]."),
    ] = None,
    max_nodes: Annotated[
        int | None,
        typer.Option(help="Boxes to bound per person, claim and radius [default: 5000]."),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Stop after this time; what is left is undecided.")
    ] = None,
    random_state: Annotated[
        int | None, typer.Option(help="Of seeds and samples [default: 0].")
    ] = None,
    jobs: Jobs = None,
    engine_name: EngineName = "processes",
    address: Address = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Prove that no change within a radius breaks a person, or show one that does."""
    n_seeds = given("all", "--seeds", seeds)
    n_counterparts = given("all", "--counterparts", counterparts)
    columns = names("--sensitive", sensitive)
    workers = engine(jobs, engine_name, address)
    check_resumable(resume, out)

    from rafair.auditing import (
        CLAIMS,
        Plan,
        RunDirectory,
        certify_seeds,
        free_run,
        write_certificates,
    )
    from rafair.certificates import MAX_NODES
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report.figures import draw_curve
    from rafair.report.tables import certificates_table
    from rafair.report.words import quality

    source = Source.open(subject, columns)
    out = out or free_run(Path("runs") / f"{source.name}-certified-{datetime.now():%Y%m%d-%H%M%S}")
    numbers = {"n_seeds": n_seeds, "counterparts": n_counterparts}
    with RunDirectory(out, resume=resume) as directory, resumable(directory, context.obj):
        options = source.options(random_state=random_state, setting=setting, max_nodes=max_nodes)
        options |= {key: number[0] for key, number in numbers.items() if number}
        radii = epsilon or [options.get("epsilon", DEFAULT_EPSILON)]
        chosen = {key: options[key] for key in OPTIONS if key in options}
        plan = Plan.of(source.data, "gradient", epsilon=max(radii), **chosen)
        choice = ModelChoice(model, model_inputs, model_output, tuple(trust or ()), unsafe_pickle)
        classifier, _ = source.model(choice, "cpu")
        with progress(quiet=quiet, unit="seeds") as on_progress:
            found = certify_seeds(
                classifier,
                source.data,
                plan,
                options.get("max_nodes", MAX_NODES),
                claim or CLAIMS,  # type: ignore[arg-type]  # checked by certify_seeds
                epsilons=radii,
                max_seconds=max_seconds,
                engine=workers,
                store=directory,
                on_progress=on_progress,
            )
        curve = found.metrics["curve"]
        pages = {"figures/robustness.svg": draw_curve(curve)} if len(curve) > 1 else {}
        write_certificates(found, directory, pages)
    if not quiet:
        show_table(certificates_table(found.metrics, curve))
        console().print(f"\n{quality(found.manifest)}")
        if found.manifest["stopped"]:
            console().print(
                f"\nStopped after {max_seconds:g} s; what was left is undecided. --resume goes on."
            )
        console().print(f"\nCertificates: {out / 'certificates.json'}", soft_wrap=True)
