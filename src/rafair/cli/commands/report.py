"""``rafair report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.options import Quiet


def command(
    run: Annotated[Path, typer.Argument(help="A run directory written by rafair audit.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the page there [default: into the run].")
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Write the report of a finished run anew."""
    from rafair.cli.terminal import console
    from rafair.report import write_report
    from rafair.runs import load_run

    target = out or run / "report.html"
    write_report(load_run(run), target)
    if not quiet:
        console().print(f"Report: {target}", soft_wrap=True)
    return 0
