"""``rafair certify``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.options import (
    Inputs,
    Model,
    ModelOutput,
    Quiet,
    Sensitive,
    Subject,
    Trust,
    UnsafePickle,
)
from rafair.cli.parsing import given, names, number_or
from rafair.cli.sources import ModelChoice, Source

DEFAULT_EPSILON = 0.05
DEFAULT_SEEDS = 200


def command(
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
        str, typer.Option(metavar="N|all", help="Combinations of sensitive values per person.")
    ] = "all",
    claim: Annotated[
        list[str] | None,
        typer.Option(help="accurate_fair, accurate or fair; repeatable [default: all three]."),
    ] = None,
    max_nodes: Annotated[
        int, typer.Option(help="Boxes to bound per person, claim and radius.")
    ] = 5_000,
    max_seconds: Annotated[
        float | None, typer.Option(help="Stop after this time; what is left is undecided.")
    ] = None,
    random_state: Annotated[int, typer.Option(help="Of seeds and samples.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Prove that no change within a radius breaks a person, or show one that does."""
    n_seeds = given("all", "--seeds", seeds)
    n_counterparts = number_or("all", "--counterparts", counterparts)
    columns = names("--sensitive", sensitive)

    from rafair.auditing import (
        CLAIMS,
        Plan,
        certify_seeds,
        check_new_run,
        free_run,
        write_certificates,
    )
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report.figures import draw_curve
    from rafair.report.tables import certificates_table
    from rafair.report.words import quality

    source = Source.open(subject, columns)
    out = out or free_run(Path("runs") / f"{source.name}-certified-{datetime.now():%Y%m%d-%H%M%S}")
    check_new_run(out)
    radii = epsilon or [source.options(epsilon=None).get("epsilon", DEFAULT_EPSILON)]
    plan = Plan(
        n_seeds=n_seeds[0] if n_seeds else source.options().get("n_seeds", DEFAULT_SEEDS),
        random_state=random_state,
        epsilon=max(radii),
        setting=setting or ("paper" if source.plan is None else "feasible"),  # type: ignore[arg-type]
        counterparts=n_counterparts,
    )
    choice = ModelChoice(model, model_inputs, model_output, tuple(trust or ()), unsafe_pickle)
    classifier, _ = source.model(choice, "cpu")
    with progress(quiet=quiet) as on_progress:
        found = certify_seeds(
            classifier,
            source.data,
            plan,
            max_nodes,
            claim or CLAIMS,  # type: ignore[arg-type]  # checked by certify_seeds
            epsilons=radii,
            max_seconds=max_seconds,
            on_progress=on_progress,
        )
    curve = found.metrics["curve"]
    pages = {"figures/robustness.svg": draw_curve(curve)} if len(curve) > 1 else {}
    write_certificates(found, out, pages)
    if not quiet:
        show_table(certificates_table(found.metrics, curve))
        console().print(f"\n{quality(found.manifest)}")
        if found.manifest["stopped"]:
            console().print(f"\nStopped after {max_seconds:g} s; what was left is undecided.")
        console().print(f"\nCertificates: {out / 'certificates.json'}", soft_wrap=True)
