"""The bar of long work: where it is shown, when, and what it says."""

import io
import re
import sys
from datetime import datetime
from types import SimpleNamespace

import pytest

from rafair.engine import bars
from rafair.engine.bars import Pace, progress_bar

NOON = datetime(2026, 5, 4, 12, 0).timestamp()


class Terminal(io.StringIO):
    """A terminal that keeps what is written on it."""

    def isatty(self):
        return True


class Cell:
    """The output of a notebook's cell, as IPython's ``display`` fills it."""

    def __init__(self):
        self.shown = []

    def display(self, html, display_id):
        assert display_id
        self.update(html)
        return self

    def update(self, html):
        self.shown.append(html)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = SimpleNamespace(time=lambda: now.value, value=NOON)
    monkeypatch.setattr(bars, "time", now)
    return now


def at_terminal(monkeypatch):
    """Make standard error a terminal; pytest would undo it between a fixture and its test."""
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return screen


@pytest.fixture
def cell(monkeypatch):
    output = Cell()
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    shown = SimpleNamespace(HTML=str, display=output.display)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return output


def work(clock, what="rafair-tb", seconds=(0, 1, 2.5, 4), **how):
    """Report 10 of 40 people more at each time."""
    clock.value = NOON
    with progress_bar(unit="seeds", **how) as report:
        for done, at in enumerate(seconds):
            clock.value = NOON + at
            report(what, 10 * done, 40)


@pytest.mark.parametrize(
    ("total", "before", "done", "seconds", "shown"),
    [
        (100, 0, 0, 5, ("", "")),
        (100, 0, 10, 0, ("", "")),
        (100, 0, 50, 10, ("5.0 seeds/s", "ends 12:00:20")),
        (100, 40, 50, 10, ("1.0 seeds/s", "ends 12:01:00")),
        (9_000, 0, 5_000, 2, ("2,500 seeds/s", "ends 12:00:03")),
        (100, 0, 1, 10, ("0.100 seeds/s", "ends 12:16:40")),
        (10_000, 0, 1, 10, ("0.100 seeds/s", "ends 05 May 15:46")),
    ],
)
def test_the_bar_tells_rate_and_end(total, before, done, seconds, shown):
    pace = Pace(total, before, NOON)
    assert pace.shown(done, NOON + seconds, "seeds") == shown
    assert pace.shown(done, NOON + seconds, None)[0] == ""


def test_a_terminal_gets_a_bar_only_for_long_work(clock, monkeypatch):
    terminal = at_terminal(monkeypatch)
    work(clock, seconds=(0, 0.5, 1, 1.9))
    assert terminal.getvalue() == ""
    work(clock, what="[red]a\x1b[31m")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "[red]a?[31m" in text
    assert "75%" in text


def test_a_notebook_gets_a_bar_that_is_removed_at_the_end(clock, cell, capsys):
    work(clock, seconds=(0, 1))
    assert cell.shown == []
    work(clock, what="<b>")
    first, second, last = cell.shown
    assert first == (
        '<div>&lt;b&gt; <progress value="20" max="40"></progress> '
        "20 of 40  8.0 seeds/s  ends 12:00:05</div>"
    )
    assert 'value="30"' in second
    assert last == ""
    assert capsys.readouterr() == ("", "")


def test_elsewhere_nothing_is_said_unless_it_is_asked_for(clock, capsys):
    times = (0, 3, 6, 14)
    work(clock, seconds=times)
    assert capsys.readouterr() == ("", "")
    work(clock, seconds=times, show=True)
    assert capsys.readouterr().err.splitlines() == [
        "rafair-tb: 10 of 40, 3.3 seeds/s, ends 12:00:12",
        "rafair-tb: 30 of 40, 2.1 seeds/s, ends 12:00:18",
    ]


def test_nothing_is_said_anywhere_if_one_does_not_want_it(clock, monkeypatch, cell):
    terminal = at_terminal(monkeypatch)
    work(clock, show=False)
    assert (terminal.getvalue(), cell.shown) == ("", [])


def fail():
    with progress_bar(after=0.0) as report:
        report("x", 1, 2)
        raise ZeroDivisionError


def test_an_error_removes_the_bar_from_a_terminal(clock, monkeypatch):
    terminal = at_terminal(monkeypatch)
    clock.value = NOON
    with pytest.raises(ZeroDivisionError):
        fail()
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back


def test_an_error_removes_the_bar_from_a_notebook(clock, cell):
    clock.value = NOON
    with pytest.raises(ZeroDivisionError):
        fail()
    assert cell.shown[-1] == ""
    assert len(cell.shown) == 2


def test_a_shell_without_a_kernel_is_no_notebook(clock, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    work(clock)
    assert capsys.readouterr() == ("", "")
