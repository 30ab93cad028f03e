"""The colours of figures, page and terminal: those of Okabe and Ito, safe for the colour-blind."""

from __future__ import annotations

__all__ = [
    "BROKEN",
    "CELL_COLOURS",
    "CELL_NAMES",
    "FAINT",
    "INK",
    "LINE",
    "PALETTE",
    "PROVED",
    "UNDECIDED",
]

# True fair, true biased, false fair, false biased.
CELL_COLOURS = {"tfr": "#009E73", "tbr": "#E69F00", "ffr": "#56B4E9", "fbr": "#D55E00"}
CELL_NAMES = {"tfr": "true fair", "tbr": "true biased", "ffr": "false fair", "fbr": "false biased"}
PROVED, UNDECIDED, BROKEN = "#0072B2", "#CC79A7", "#D55E00"
# Text, secondary text, and grid lines on white.
INK, FAINT, LINE = "#222222", "#888888", "#dddddd"
PALETTE = (PROVED, BROKEN, "#009E73", UNDECIDED, "#E69F00", "#56B4E9", "#000000", "#F0E442")
