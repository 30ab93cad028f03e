"""``--resume``, ``--jobs`` and ``--backend`` on the command line, and the bar that is shown."""

import io
import itertools
import json
import re
import shutil
from datetime import datetime
from types import SimpleNamespace

import pytest

from rafair import load_run
from rafair.cli import terminal
from rafair.cli.resuming import command_of_result, command_to_resume
from rafair.engine import bars


def interrupt(*_arguments, **_options):
    raise KeyboardInterrupt


def files_of(run):
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*") if p.is_file()}


@pytest.fixture
def stopped(audit, tmp_path, monkeypatch):
    """An audit that was interrupted when all shards were there."""
    with monkeypatch.context() as patch:
        patch.setattr("rafair.auditing.conductor.run_controls", interrupt)
        return audit("--out", "run")


def test_ctrl_c_says_with_one_line_how_to_go_on(stopped, audit, tmp_path):
    assert (stopped.code, stopped.out) == (130, "")
    error, advice = stopped.err.splitlines()
    assert error == "error: interrupted; what is finished is kept in run"
    typed = "audit credit --seeds 8 --steps 2 --step-size 0.05 --counterparts 12 --out run"
    assert advice == f"go on with: rafair {typed} --resume"
    gone_on = audit("--out", "run", "--resume")
    assert (gone_on.code, gone_on.err) == (0, "")
    assert "Report: run/report.html" in gone_on.out
    assert load_run(tmp_path / "run").metrics["n_seeds"] == 8


def test_without_a_named_directory_the_advice_names_it(audit, tmp_path, monkeypatch):
    monkeypatch.setattr("rafair.auditing.conductor.run_controls", interrupt)
    advice = audit().err.splitlines()[-1]
    (run,) = (tmp_path / "runs").iterdir()
    assert advice.endswith(f" --resume --out runs/{run.name}")


@pytest.mark.parametrize(
    "more",
    [
        "--out run --jobs 2 --quiet",
        "--out=a --resume --jobs=all --backend ray",
        "--engine=ray --address auto",
    ],
)
def test_where_and_by_whom_it_was_computed_is_no_part_of_the_kept_command(more):
    typed = ["audit", *more.split(), "credit", "--steps", "2", "--sensitive=sex"]
    assert command_of_result(typed) == ["audit", "credit", "--steps", "2", "--sensitive=sex"]
    assert command_of_result(["audit", "--", "--out"]) == ["audit", "--", "--out"]


def test_what_was_typed_is_kept_and_quoted():
    typed = ["audit", "my plan.toml", "--out=a b", "--resume"]
    assert command_to_resume(typed, "x") == (
        "go on with: rafair audit 'my plan.toml' '--out=a b' --resume"
    )


def test_running_out_of_memory_midway_says_how_to_go_on(audit, monkeypatch):
    def greedy(*_arguments):
        raise MemoryError

    monkeypatch.setattr("rafair.auditing.conductor.run_controls", greedy)
    error, advice = audit("--out", "run").err.splitlines()
    assert error.startswith("error: out of memory; use fewer --n-seeds")
    assert advice.startswith("go on with: rafair audit credit")


@pytest.mark.parametrize("verb", ["report", "repair"])
def test_an_unfinished_run_is_not_read(stopped, rafair, verb):
    refused = rafair(verb, "run")
    assert refused.code == 2
    assert refused.complaint == (
        "run holds an unfinished run; go on with the command that began it and --resume --out run"
    )


def test_an_unfinished_run_is_refused_without_resume_with_both_ways_out(stopped, audit):
    refused = audit("--out", "run")
    assert refused.code == 2
    assert refused.complaint == (
        "output directory run holds an unfinished run; go on with --resume, or name another one"
    )


def test_another_run_is_refused_and_kept(stopped, audit, tmp_path):
    before = files_of(tmp_path / "run")
    refused = audit("--out", "run", "--resume", "--steps", "3", "--epsilon", "0.1")
    assert refused.code == 2
    assert refused.complaint == (
        "run holds another run; what differs: the plan: steps 2, not 3; name another directory, or "
        "ask for what it was begun with"
    )
    assert files_of(tmp_path / "run") == before


def test_resume_needs_a_directory(audit, rafair, tmp_path):
    for refused in (audit("--resume"), rafair("certify", "credit", "--resume")):
        assert refused.code == 2
        assert refused.complaint.startswith("--resume goes on with a run directory; name it with")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [False, True])
def test_resume_begins_where_nothing_is_yet(audit, finished_run, tmp_path, there):
    if there:
        (tmp_path / "run").mkdir()
    assert audit("--out", "run", "--resume", "--quiet").code == 0
    assert files_of(tmp_path / "run") == files_of(finished_run)


def test_a_finished_run_is_shown_again_with_the_same_code(audit, tmp_path, monkeypatch):
    gate = ("--out", "run", "--fail-under", "r_af=0.99")
    first = audit(*gate)
    before = files_of(tmp_path / "run")
    monkeypatch.setattr("rafair.auditing.conductor.attack_seeds", interrupt)
    again = audit(*gate, "--resume")
    assert (again.code, again.out, again.err) == (1, first.out, "")
    assert audit("--out", "run", "--resume").code == 0
    assert files_of(tmp_path / "run") == before
    refused = audit(*gate, "--resume", "--random-state", "1")
    assert "what differs: the plan: random_state 0, not 1" in refused.complaint


def test_a_repaired_run_is_shown_again(audit, rafair, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    assert rafair("repair", "run", "--quiet").code == 0
    before = files_of(tmp_path / "run")
    assert audit("--out", "run", "--resume").code == 0
    assert files_of(tmp_path / "run") == before


def test_two_jobs_write_the_same_run(audit, finished_run, tmp_path):
    assert audit("--jobs", "2", "--quiet", "--out", "run").code == 0
    assert files_of(tmp_path / "run") == files_of(finished_run)


@pytest.mark.parametrize("verb", ["audit", "certify"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--jobs", "few"), "--jobs takes a whole number or 'all', not 'few'"),
        (("--jobs", "0"), "jobs must be a whole number, 1 or more"),
        (("--backend", "threads"), "--backend takes processes or ray, not 'threads'"),
        (("--address", "auto"), "address is for the backend 'ray', not for 'processes'"),
    ],
)
def test_workers_that_cannot_be_are_refused(rafair, tmp_path, verb, arguments, says):
    refused = rafair(verb, "credit", *arguments)
    assert refused.code == 2
    assert says in refused.complaint
    assert list(tmp_path.iterdir()) == []


SMALL = ("certify", "credit", "--seeds", "70", "--counterparts", "12", "--max-nodes", "30")


def test_certificates_go_on_after_their_time_ran_out(rafair, tmp_path):
    assert rafair(*SMALL, "--out", "alone", "--quiet").code == 0
    first = rafair(*SMALL, "--out", "run", "--max-seconds", "1e-9")
    assert "what was left is undecided. --resume goes on." in first.out
    assert rafair(*SMALL, "--out", "run", "--resume", "--quiet").code == 0
    assert files_of(tmp_path / "run") == files_of(tmp_path / "alone")
    again = rafair(*SMALL, "--out", "run", "--resume")
    assert (again.code, again.err) == (0, "")
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["stopped"] is False
    other = rafair(*SMALL, "--out", "run", "--resume", "--epsilon", "0.1")
    assert "the certificates: epsilons 0.05, not 0.1" in other.complaint


NOON = datetime(2026, 5, 4, 12, 0).timestamp()


class Terminal(io.StringIO):
    """A terminal that keeps what is written on it."""

    def isatty(self):
        return True


def test_the_bar_fits_eighty_columns_and_names_what_is_done(monkeypatch):
    screen, clock = Terminal(), itertools.count(NOON, 10)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr(bars, "time", SimpleNamespace(time=lambda: next(clock)))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress(quiet=False, unit="seeds") as on_progress:
        for done in (0, 4_000, 5_020):
            on_progress("rafair-tb control", done, 15_060)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n")
    *_, line = (line for line in text.split("\n") if "%" in line)
    assert len(line) <= 80
    for part in ("rafair-tb control", " 33%", "251 seeds/s", "ends 12:"):
        assert part in line


def test_quiet_shows_no_bar(capsys):
    with terminal.progress(quiet=True) as on_progress:
        on_progress("x", 1, 2)
    assert capsys.readouterr().err == ""
