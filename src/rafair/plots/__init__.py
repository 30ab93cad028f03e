"""Figures: their colours, their style, and functions that draw on axes of matplotlib."""

from rafair.plots.axes import draw_bands, draw_groups, draw_matrix, draw_shares
from rafair.plots.plot import Plot
from rafair.plots.rows import CLAIMS, band_of, curve_rows, matrix_rows, strongest_attack

__all__ = [
    "CLAIMS",
    "Plot",
    "band_of",
    "curve_rows",
    "draw_bands",
    "draw_groups",
    "draw_matrix",
    "draw_shares",
    "matrix_rows",
    "strongest_attack",
]
