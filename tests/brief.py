"""Runs without the time that figures and strong attacks take."""

from contextlib import contextmanager
from html import escape

import pytest
from matplotlib.text import Text


def words_of(figure):
    """Stands in for drawing a figure, which takes half the time of a small audit."""
    texts = (f"<text>{escape(found.get_text())}</text>" for found in figure.findobj(Text))
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(texts)}</svg>'.encode()


@contextmanager
def brief():
    """Keep the words of figures, and end the ensemble's members early.

    tests/report and test_cli_process.py draw; how strong attacks are is tested in tests/attacks.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.report.figures.svg", words_of)
        patch.setattr("rafair.attacks.ensemble.APGD_STEPS", 5)
        yield
