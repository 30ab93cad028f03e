"""``rafair init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.options import MISSING, Within
from rafair.cli.parsing import distances, names


def command(
    table: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    label: Annotated[str, typer.Option(help="Column with the ground truth.")],
    sensitive: Annotated[str, typer.Option(metavar="A,B", help="Sensitive columns.")],
    positive: Annotated[
        str | None, typer.Option(help="The label's value to call positive [default: the last].")
    ] = None,
    missing: Annotated[str, typer.Option(metavar="RULE", help=MISSING)] = "refuse",
    within: Within = None,
) -> int:
    """Propose a plan for a table, on standard output: rafair init data.csv ... > plan.toml."""
    columns = names("--sensitive", sensitive) or []

    from rafair.plans.drafting import draft_plan

    near = distances("--within", within or [])
    typer.echo(draft_plan(table, label, columns, positive, missing, within=near))
    return 0
