"""The command line, called in this process."""

from dataclasses import dataclass

import pytest
import typer

from brief import brief
from rafair.cli.app import build_app, main

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


@pytest.fixture(scope="session")
def built():
    """What ``main`` builds of all verbs at each call, which takes most of the time of a refusal."""
    return typer.main.get_command(build_app())


@pytest.fixture(scope="module", autouse=True)
def _brief(built):
    with brief(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.main.get_command", lambda _: built)
        patch.setattr("rafair.cli.app.build_app", lambda: None)
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
    with brief(), pytest.raises(SystemExit) as exit_:  # made before any module's own fixtures
        main(["audit", "credit", *SMALL, "--quiet", "--out", str(path)])
    assert exit_.value.code == 0
    return path
