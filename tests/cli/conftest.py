"""The command line, called in this process."""

from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import pytest
from matplotlib.text import Text

from rafair.cli.app import main

SMALL = ("--seeds", "8", "--steps", "2", "--step-size", "0.05", "--counterparts", "12")


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def complaint(self):
        """The single line on standard error of a command that refused its input."""
        assert self.out == ""
        assert self.err.endswith("\n")
        (line,) = self.err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


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


@pytest.fixture(scope="module", autouse=True)
def _undrawn():
    with undrawn():
        yield


@pytest.fixture
def rafair(capsys, tmp_path, monkeypatch):
    """Run a command in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Finished(exit_.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def audit(rafair):
    """Run a small ``rafair audit credit``."""
    return lambda *arguments: rafair("audit", "credit", *SMALL, *arguments)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A run directory of a small audit; tests that change it copy it first."""
    path = tmp_path_factory.mktemp("runs") / "credit"
    with undrawn(), pytest.raises(SystemExit) as exit_:  # made before any module's own fixtures
        main(["audit", "credit", *SMALL, "--quiet", "--out", str(path)])
    assert exit_.value.code == 0
    return path
