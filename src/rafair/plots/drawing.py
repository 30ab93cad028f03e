"""One style for all figures, which are vector graphics."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

from rafair.plots.palette import FAINT, INK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["axes_of", "new_figure", "style", "svg"]

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rafair",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Apply the style to the figures that are drawn and saved inside this context."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Text stays text in the SVG: the reader's fonts show glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph")
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def axes_of(figure: Figure, columns: int, rows: int = 1, **options: Any) -> list[Axes]:
    """Divide a figure into panels, row by row."""
    return [figure.add_subplot(rows, columns, at + 1, **options) for at in range(rows * columns)]


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG; the same figure always gives the same bytes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    drawn = io.BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    # ``savefig`` draws everything twice, first to find the layout.
    canvas.print_svg(drawn, metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
