"""``rafair reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rafair.cli.options import EngineGroup, Quiet, taking
from rafair.errors import Interrupted

if TYPE_CHECKING:
    from rafair.engine import Engine


@taking(engine=EngineGroup())
def command(
    part: Annotated[
        list[str], typer.Argument(help="all (of the paper), table3, figure2, strength, ...")
    ],
    engine: Engine,
    out: Annotated[Path, typer.Option(help="Directory of the page.")] = Path("runs/reproduction"),
    dataset: Annotated[
        list[str] | None, typer.Option(help="A benchmark; repeatable [default: all four].")
    ] = None,
    n_seeds: Annotated[
        int, typer.Option("--n-seeds", "--seeds", help="Seeds per dataset in tables.")
    ] = 200,
    steps: Annotated[int, typer.Option(help="Iterations in tables.")] = 20,
    step_size: Annotated[float, typer.Option(help="p, a share of each range.")] = 0.01,
    trend_seeds: Annotated[int, typer.Option(help="Seeds in figures of losses.")] = 100,
    trend_steps: Annotated[int, typer.Option(help="Iterations in figures of losses.")] = 50,
    trainings: Annotated[int, typer.Option(help="Networks of each kind in readings.")] = 3,
    random_state: Annotated[int, typer.Option(help="Of seeds and samples.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Run the paper's tables and figures anew, and measure how strong attacks are."""
    from rafair.cli.terminal import console, progress, show_table
    from rafair.reproduce import Study, choose_parts, reproduce

    study = Study(
        datasets=Study.datasets if dataset is None else tuple(dataset),
        n_seeds=n_seeds,
        random_state=random_state,
        steps=steps,
        step_size=step_size,
        trend_seeds=trend_seeds,
        trend_steps=trend_steps,
        trainings=trainings,
    )
    choose_parts(part, study)
    try:
        with progress(quiet=quiet) as on_progress:
            sections = reproduce(part, out, study, engine=engine, on_progress=on_progress)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on from here") from None
    if quiet:
        return
    for section in sections.values():
        if section.summary is not None:
            show_table(section.summary)
            console().print()
    console().print(f"Page: {out / 'reproduction.html'}", soft_wrap=True)
