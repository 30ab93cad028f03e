"""Runs without the time that figures and strong attacks take."""

from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from html import escape

import pytest

from rafair.attacks import Adaptive
from rafair.attacks.cell_ascent import CellAscent

STEPS = 12


def short(attack, queries):
    """An attack that takes few steps, or asks for few scores; what all owe needs no success."""
    few = {"steps": STEPS, "queries": queries}
    return replace(attack, **{f.name: few[f.name] for f in fields(attack) if f.name in few})


def words_of(figure):
    """Stands in for drawing a figure, which takes half the time of a small audit."""
    words = [text.get_text() for text in figure.texts]
    for axes in figure.axes:  # without its ticks, which are not made before somebody asks
        words += [axes.get_title(side) for side in ("left", "center", "right")]
        words += [axes.get_xlabel(), axes.get_ylabel(), *(t.get_text() for t in axes.texts)]
    texts = "".join(f"<text>{escape(found)}</text>" for found in words if found)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{texts}</svg>'.encode()


@contextmanager
def brief():
    """Keep the words of figures, and end strong attacks early.

    tests/report and test_cli_process.py draw; how strong attacks are is tested in tests/attacks.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.report.figures.svg", words_of)
        for name, few in {"APGD_STEPS": 5, "RAFAIR_STEPS": 5, "RESTARTS": 1}.items():
            patch.setattr(f"rafair.attacks.ensemble.{name}", few)
        for module in ("attacks.ensemble", "certificates.cells"):
            patch.setattr(f"rafair.{module}.CellAscent", partial(CellAscent, steps=STEPS))
        for module in ("advising", "mending"):
            patch.setattr(f"rafair.auditing.{module}.Adaptive", partial(Adaptive, queries=200))
        yield
