"""``rafair compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rafair.cli.options import Quiet


def command(
    runs: Annotated[list[Path], typer.Argument(help="Two run directories or more.")],
    page: Annotated[Path | None, typer.Option(help="Write the comparison as a page.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write it as JSON.")] = None,
    quiet: Quiet = False,
) -> int:
    """Set runs on the same people side by side: what changed, for whom, beyond chance or not."""
    from rafair.cli.terminal import console, show_table
    from rafair.comparing import compare
    from rafair.display import count
    from rafair.report.comparison import render_comparison
    from rafair.runs.files import replace_file
    from rafair.runs.layout import as_json

    found = compare(*runs)
    if json is not None:
        replace_file(json, as_json(found.as_dict()))
    if page is not None:
        replace_file(page, render_comparison(found))
    if quiet:
        return 0
    for run in found.names[1:]:
        show_table(found.table(run))
        who = found.changed["run"] == run
        console().print(f"{count(int(who.sum()), 'person', 'people')} changed.\n")
    for note in found.notes:
        console().print(f"Note: {note}")
    for what, path in (("Page", page), ("JSON", json)):
        if path is not None:
            console().print(f"{what}: {path}", soft_wrap=True)
    return 0
