"""``rafair certify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rafair.cli.certified_regions import certify_regions, check_for_regions
from rafair.cli.options import (
    EngineGroup,
    ModelGroup,
    PlanGroup,
    Quiet,
    SubjectGroup,
    taking,
)
from rafair.cli.resuming import Resume, check_resumable, kept_run

if TYPE_CHECKING:
    from rafair.cli.sources import ModelChoice
    from rafair.cli.subjects import Asked
    from rafair.engine import Engine
    from rafair.runs import CertifiedResult

BENCHMARK_EPSILON = 0.05
# What of a plan certificates depend on, beside every ε.
PLANNED = ("n_seeds", "setting", "counterparts", "max_nodes", "random_state")


@taking(asked=SubjectGroup(), model=ModelGroup(), plan=PlanGroup(*PLANNED), engine=EngineGroup())
def command(
    context: typer.Context,
    asked: Asked,
    model: ModelChoice,
    plan: dict[str, Any],
    engine: Engine,
    out: Annotated[
        Path | None, typer.Option(help="Directory [default: runs/NAME-certified-DATE-TIME].")
    ] = None,
    epsilon: Annotated[
        list[float] | None,
        typer.Option(
            help="Radius, a share of each range; repeatable [default: 0.1; 0.05 on benchmarks, "
            "0 for regions]."
        ),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(help="accurate_fair, accurate or fair; repeatable [default: all three]."),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="TF, TB, FF, FB or all: who can be moved there? repeatable; without --claim, "
            "claims are left out."
        ),
    ] = None,
    K: Annotated[float, typer.Option("--K", help="D(y, f(v')) ≤ K·d(v, v') is certified.")] = 0.0,
    D: Annotated[
        str, typer.Option("--D", help="Distance of two classes: discrete or absolute.")
    ] = "discrete",
    d: Annotated[
        str, typer.Option("--d", help="Distance of two people in unit space: l1, l2 or linf.")
    ] = "l1",
    max_seconds: Annotated[
        float | None, typer.Option(help="Stop after this time; what is left is undecided.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Certify everybody there instead of seeds: \"age in [25, 40], sex == 'female'\"; "
            "repeatable."
        ),
    ] = None,
    partition: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Divide the region, or the whole domain, into up to N boxes."
        ),
    ] = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Prove that no change within a radius breaks a person, or show one that does."""
    check_resumable(resume, out)
    is_region = bool(region) or partition is not None
    if is_region:
        distances = {"K": K, "D": D != "discrete", "d": d != "l1"}
        check_for_regions({**plan, **distances, "claim": claim, "cell": cell}, epsilon)

    from rafair.auditing import CLAIMS, certify_seeds
    from rafair.cli.terminal import progress
    from rafair.fairness import CELLS, Lipschitz
    from rafair.plans import Plan
    from rafair.plans.plan import OWN_EPSILON
    from rafair.report.figures import draw_curve
    from rafair.runs import write_certificates

    condition = Lipschitz(K, D, d)  # type: ignore[arg-type]  # checked there
    with kept_run(out, f"{asked.name}-certified", context.obj, resume=resume) as directory:
        source = asked.open(model, plan, directory)
        options = source.options(plan)
        if is_region:
            wanted = region, partition, epsilon, max_seconds
            certify_regions(source, model, options, wanted, engine, directory, quiet=quiet)
            return
        usual = BENCHMARK_EPSILON if source.data.is_benchmark else OWN_EPSILON
        radii = epsilon or [options.get("epsilon", usual)]
        chosen = {name: options[name] for name in PLANNED if name in options}
        classifier, data, _ = source.model(model, "cpu")
        with progress(quiet=quiet, unit="seeds") as on_progress:
            found = certify_seeds(
                classifier,
                data,
                Plan.of(data, "gradient", epsilon=max(radii), **chosen),
                claim or (() if cell else CLAIMS),  # type: ignore[arg-type]  # checked there
                cells=CELLS if "all" in (cell or ()) else cell or (),
                epsilons=radii,
                condition=condition,
                max_seconds=max_seconds,
                engine=engine,
                store=directory,
                on_progress=on_progress,
            )
        curve = found.metrics["curve"]
        is_curve = len(curve) > 1 and bool(curve[0]["claims"])
        pages = {"figures/robustness.svg": draw_curve(curve)} if is_curve else {}
        write_certificates(found, directory, pages)
    if not quiet:
        _show(found, directory.path, max_seconds)


def _show(found: CertifiedResult, path: Path, max_seconds: float | None) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.report.tables import cells_table, certificates_table
    from rafair.report.words import quality

    curve = found.metrics["curve"]
    if found.manifest["K"] > 0:
        console().print("Fair: {D} distance of decisions ≤ {K:g} · {d}".format(**found.manifest))
    if curve[0]["claims"]:
        show_table(certificates_table(found.metrics, curve))
    if "cells" in curve[0]:
        show_table(cells_table(found.metrics, curve))
    console().print(f"\n{quality(found.manifest)}")
    if found.manifest["stopped"]:
        console().print(
            f"\nStopped after {max_seconds:g} s; what was left is undecided. --resume goes on."
        )
    console().print(f"\nCertificates: {path / 'certificates.json'}", soft_wrap=True)
