"""``rafair gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from rafair.cli.options import Quiet

Limits: TypeAlias = list[str] | None


def command(
    run: Annotated[Path, typer.Argument(help="A run directory written by rafair audit.")],
    min: Annotated[  # noqa: A002 - the option's name
        Limits, typer.Option(metavar="RATE=X", help="Lowest rate that passes; repeatable.")
    ] = None,
    max: Annotated[  # noqa: A002
        Limits, typer.Option(metavar="RATE=X", help="Highest rate that passes; repeatable.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="An earlier run on the same people, for --max-drop.")
    ] = None,
    max_drop: Annotated[
        Limits, typer.Option(metavar="RATE=X", help="How much lower than there; repeatable.")
    ] = None,
    require_proof: Annotated[
        bool, typer.Option("--require-proof", help="Let robust rates pass only if proved.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write it as Markdown.")] = None,
    quiet: Quiet = False,
) -> int:
    """Decide on intervals and proofs whether a run is good enough: exit 0, 1, or 3 for open."""
    from rafair.cli.terminal import console
    from rafair.gating import as_junit, as_markdown, gate, parse_limits
    from rafair.gating.deciding import DROPPING
    from rafair.runs.files import check_file_target, replace_file

    verdict = gate(
        run,
        min=parse_limits("--min", min or []),
        max=parse_limits("--max", max or []),
        baseline=baseline,
        max_drop=parse_limits("--max-drop", max_drop or [], DROPPING),
        require_proof=require_proof,
    )
    written = {junit: as_junit(verdict), summary: as_markdown(verdict).encode()}
    targets = {path: content for path, content in written.items() if path is not None}
    for path in targets:
        check_file_target(path)
    for path, content in targets.items():
        replace_file(path, content)
    if not quiet:
        console().print(repr(verdict))
    return verdict.exit_code
