"""``rafair certify``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.parsing import names, number_or

DEFAULT_EPSILON = 0.05


def command(
    dataset: Annotated[str, typer.Argument(help="adult, bank, compas or credit.")],
    model: Annotated[
        Path | None, typer.Option(help="Weights written by rafair train [default: the baseline].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory [default: runs/DATASET-certified-DATE-TIME].")
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="N|all", help="Seeds from the test split.")] = "200",
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="Radius, a share of each range; repeatable [default: 0.05]."),
    ] = None,
    setting: Annotated[str, typer.Option(help="paper or feasible.")] = "paper",
    sensitive: Annotated[
        str | None, typer.Option(metavar="A,B", help="Sensitive columns [default: the dataset's].")
    ] = None,
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
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Prove that no change within a radius breaks a person, or show one that does."""
    n_seeds = number_or("all", "--seeds", seeds)
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
    from rafair.cli.sources import load_model, open_data
    from rafair.cli.terminal import console, progress, show_table
    from rafair.report.figures import draw_curve
    from rafair.report.tables import certificates_table
    from rafair.report.words import quality

    data = open_data(dataset, columns)
    out = out or free_run(Path("runs") / f"{dataset}-certified-{datetime.now():%Y%m%d-%H%M%S}")
    check_new_run(out)
    plan = Plan(
        n_seeds=n_seeds,
        random_state=random_state,
        epsilon=max(epsilon or [DEFAULT_EPSILON]),
        setting=setting,  # type: ignore[arg-type]  # checked by Plan
        counterparts=n_counterparts,
    )
    classifier, _ = load_model(model, data, "cpu")
    with progress(quiet=quiet) as on_progress:
        found = certify_seeds(
            classifier,
            data,
            plan,
            max_nodes,
            claim or CLAIMS,  # type: ignore[arg-type]  # checked by certify_seeds
            epsilons=epsilon or None,
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
