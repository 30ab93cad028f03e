"""The command line: one module per verb, no logic."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Never

__all__ = ["main"]

# OpenMP's threads wait for one another in busy loops. If another process keeps a core busy, each
# wait lasts a time slice, and a run takes more than ten times as long. With a lower count the
# threads sleep instead. OpenMP reads the variable when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# A helper process of joblib warns about what it cleans up after workers were stopped, which the
# user who stopped them need not know. It reads the variable when it starts.
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and exit; see ``rafair.cli.app.main``."""
    # Loading the libraries makes half a million objects and hardly any garbage. By default Python
    # walks all of them again and again, and twice more at the end: a third of a small audit's time.
    gc.set_threshold(200_000)
    atexit.register(gc.freeze)
    try:
        from rafair.cli.app import main as run
    except KeyboardInterrupt:  # Ctrl-C while the libraries load
        sys.exit(130)
    run(arguments)
