"""The command line: one module per verb, no logic."""

from __future__ import annotations

import os
import sys
from typing import Never

__all__ = ["main"]

# OpenMP's threads wait for one another by spinning; while another process keeps a core busy, each
# wait then lasts a time slice, and a run takes ten times as long and more. With fewer turns they
# go to sleep instead. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# A process of joblib's says what it cleans up after workers that were stopped; that is no news to
# whoever stopped them. It reads this when it starts.
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and exit; see ``rafair.cli.app.main``."""
    try:
        from rafair.cli.app import main as run
    except KeyboardInterrupt:  # Ctrl-C while the libraries load
        sys.exit(130)
    run(arguments)
