"""Pages of runs without the time that their figures take."""

from contextlib import contextmanager
from html import escape

import pytest
from matplotlib.text import Text


def words_of(figure):
    """Stands in for drawing a figure, which takes half the time of a small audit."""
    texts = (f"<text>{escape(found.get_text())}</text>" for found in figure.findobj(Text))
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(texts)}</svg>'.encode()


@contextmanager
def undrawn():
    """Keep the words of a run's figures; tests/report and test_cli_process.py draw them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.report.figures.svg", words_of)
        yield
