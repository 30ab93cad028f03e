"""The command line: one module per verb, no logic."""

from __future__ import annotations

import sys
from typing import Never

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and exit; see ``rafair.cli.app.main``."""
    try:
        from rafair.cli.app import main as run
    except KeyboardInterrupt:  # Ctrl-C while the libraries load
        sys.exit(130)
    run(arguments)
