"""The command line: one module per verb, no logic."""

from rafair.cli.app import main

__all__ = ["main"]
