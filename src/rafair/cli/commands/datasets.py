"""``rafair datasets``."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    name: Annotated[str | None, typer.Argument(help="Print this dataset's card.")] = None,
) -> int:
    """List the embedded datasets, or print one's card."""
    from rafair.cli.terminal import console, show_table
    from rafair.report.cards import card, overview

    if name is None:
        show_table(overview())
    else:
        console().print(card(name), soft_wrap=True)
    return 0
