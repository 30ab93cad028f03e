"""An audit tells whoever waits how far it is, and nobody else."""

import itertools
from types import SimpleNamespace

import pytest

import rafair
from rafair.engine import bars


@pytest.fixture
def audit(credit, credit_model, monkeypatch):
    """A short audit by a clock on which everything takes long."""
    ticks = itertools.count(0, 60)
    monkeypatch.setattr(bars, "time", SimpleNamespace(time=lambda: next(ticks)))
    return lambda **how: rafair.audit(
        credit_model, credit, n_seeds=4, steps=1, max_nodes=20, max_seconds=600.0, **how
    )


def test_a_program_is_told_nothing_unless_it_asks(audit, capsys):
    quiet = audit()
    assert capsys.readouterr() == ("", "")
    loud = audit(progress=True)
    told = capsys.readouterr()
    assert told.out == ""
    first, *_, last = told.err.splitlines()
    assert first.startswith("rafair-tb: 0 of ")
    assert last.startswith("certificates")
    assert " 4 of 4" in last
    assert loud.metrics == quiet.metrics


@pytest.mark.parametrize("progress", [None, True])
def test_a_function_is_told_instead_of_the_bar(audit, capsys, progress):
    told = []
    audit(progress=progress, on_progress=lambda *report: told.append(report))
    assert capsys.readouterr() == ("", "")
    assert {("certificates", 4, 4), ("certificates age", 4, 4)} <= set(told)
