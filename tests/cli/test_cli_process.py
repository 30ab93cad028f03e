"""The installed command, as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rafair import __version__

COMMAND = Path(sys.executable).parent / "rafair"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def shell(tmp_path):
    def run(*arguments, **options):
        return subprocess.run(
            [COMMAND, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=ENVIRONMENT,
            check=False,
            **options,
        )

    return run


def test_the_installed_command_audits_and_prints_no_warning(shell, tmp_path):
    done = shell(
        *("audit", "credit", "--seeds", "4", "--steps", "1", "--counterparts", "4"),
        *("--out", "run"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "credit: 4 seeds, 4 counterparts each" in done.stdout
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_installed_command_complains_in_one_line(shell, tmp_path):
    done = shell("audit", "iris")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: unknown dataset 'iris'; use one of adult, bank, compas, credit\n"
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_tells_its_version(shell):
    done = shell("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rafair {__version__}\n", "")


def test_the_package_runs_as_the_command_does(shell):
    module = [sys.executable, "-m", "rafair", "--version"]
    done = subprocess.run(module, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rafair {__version__}\n", "")
