"""Tables at a terminal: the words of cells and proofs have the colours of figures and page."""

import pytest

from rafair.cli.terminal import show_table
from rafair.display import Table
from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED, UNDECIDED

TABLE = Table("rates", ("", "aims at", "TBR"), [("rafair-ff", "FF", "0.1"), ("proved, ε", "", "")])


@pytest.fixture
def shown(capsys, monkeypatch):
    def show(table, **environment):
        usual = {"COLUMNS": "80", "FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm"}
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name, value in (usual | environment).items():
            monkeypatch.setenv(name, value)
        show_table(table)
        return capsys.readouterr().out

    return show


def code(colour):
    return "38;2;" + ";".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))


def test_each_word_has_its_colour(shown):
    lines = shown(TABLE).splitlines()
    assert code(CELL_COLOURS["tbr"]) in lines[1]
    assert code(CELL_COLOURS["ffr"]) in lines[2]
    assert code(PROVED) in lines[3]
    words = shown(Table("", ("", "undecided", "broken"), [("", "", "")]))
    assert code(UNDECIDED) in words
    assert code(BROKEN) in words


def test_no_color_means_none(shown):
    assert "38;2;" not in shown(TABLE, NO_COLOR="1")
    assert "38;" not in shown(TABLE, TERM="dumb")


def test_a_pipe_gets_plain_text(capsys, monkeypatch):
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    show_table(TABLE)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("columns", [12, 20, 40, 200])
def test_a_narrow_terminal_cuts_no_number(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    heads = ("", *(f"rate {place}" for place in range(9)))
    rows = [(name, *(f"{name}.{place}2" for place in range(9))) for name in ("1", "2")]
    show_table(Table("", heads, rows))
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert all(printed.count(text) == 1 for text in (*heads[1:], *rows[0][1:], *rows[1][1:]))
    assert all(len(line) <= columns for line in printed.splitlines())
    assert len(printed.split("\n\n")) == {12: 9, 20: 5, 40: 3, 200: 1}[columns]
