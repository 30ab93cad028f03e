"""``rafair reproduce``: what it prints and writes, refuses, and how it is interrupted."""

import contextlib
import json

import pytest

from rafair.cli import terminal
from rafair.reproduce.published import TABLE3

SMALL = ("--dataset", "credit", "--seeds", "8", "--steps", "2")
PAGES = ["reproduction.html", "reproduction.json", "reproduction.md"]


def names_in(path):
    return sorted(entry.name for entry in path.iterdir())


def test_it_writes_the_page_and_quietly_prints_nothing(rafair, tmp_path):
    done = rafair("reproduce", "table3", "table4", "--out", "page", "--quiet", *SMALL)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert names_in(tmp_path / "page") == ["cells", "figures", *PAGES]
    data = json.loads((tmp_path / "page" / "reproduction.json").read_text())
    assert list(data) == ["table3", "table4", "about"]
    assert data["about"]["study"]["n_seeds"] == 8
    again = rafair("reproduce", "table3", "--out", "page", *SMALL)
    assert (again.code, again.err) == (0, "")
    words = " ".join(again.out.split())
    assert "Table 3, average over credit, 8 seeds each. Mean absolute error" in words
    for name, rates in data["table3"]["average"].items():
        if name in TABLE3 and name != "clean":
            row = [f"{value:.3f}" for key, value in rates.items() if key != "ci"]
            assert ["last", *row] in [line.split()[:-1] for line in again.out.splitlines()]
    assert "Table 4" not in again.out
    assert again.out.endswith("\nPage: page/reproduction.html\n")


def test_every_option_reaches_the_study(rafair, tmp_path):
    options = {
        "--dataset": "compas",
        "--seeds": "7",
        "--steps": "3",
        "--step-size": "0.05",
        "--trend-seeds": "4",
        "--trend-steps": "5",
        "--trainings": "2",
        "--random-state": "2",
    }
    arguments = [part for option in options.items() for part in option]
    done = rafair("reproduce", "table2", "--out", "page", "--quiet", *arguments)
    assert done.code == 0
    data = json.loads((tmp_path / "page" / "reproduction.json").read_text())
    assert data["about"]["study"] == {
        "datasets": ["compas"],
        "n_seeds": 7,
        "random_state": 2,
        "steps": 3,
        "step_size": 0.05,
        "trend_seeds": 4,
        "trend_steps": 5,
        "trainings": 2,
    }
    shown = rafair("reproduce", "--help").out
    for option in (*options, "--out", "--quiet", "--jobs", "--backend", "--address"):
        assert option in shown


def test_several_jobs_write_the_same_page(rafair, tmp_path):
    arguments = ("reproduce", "table3", "--quiet", *SMALL)
    for path, engine in (("here", ()), ("there", ("--jobs", "2"))):
        done = rafair(*arguments, "--out", path, *engine)
        assert (done.code, done.out, done.err) == (0, "", "")
    for name in PAGES:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    assert names_in(tmp_path / "here" / "cells") == names_in(tmp_path / "there" / "cells")


def test_datasets_can_be_repeated_and_the_page_goes_below_runs(rafair, tmp_path):
    done = rafair("reproduce", "table2", "--dataset", "credit", "--dataset", "compas")
    assert done.code == 0
    assert done.out == "Page: runs/reproduction/reproduction.html\n"
    page = tmp_path / "runs" / "reproduction"
    assert list(json.loads((page / "reproduction.json").read_text())["table2"]) == [
        "credit",
        "compas",
    ]


ERRORS = [
    ([], "Missing argument"),
    (["table9"], "unknown part 'table9'; use all or some of conclusions, figure1, table2"),
    (["table2", "nothing"], "unknown part 'nothing'"),
    (["table2", "--dataset", "iris"], "unknown dataset 'iris'; use one of adult, bank, compas"),
    (["table2", "--dataset", "bank", "--dataset", "bank"], "a dataset is named twice"),
    (["figure2", "--dataset", "credit"], "figure2 is about bank; add it to the datasets"),
    (["table3", "--seeds", "0"], "seeds must be a whole number, 1 or more"),
    (["table3", "--seeds", "all"], "Invalid value for '--n-seeds'"),
    (["table3", "--dataset", "credit", "--seeds", "301"], "301 seeds asked for"),
    (["figure9", "--dataset", "credit", "--trend-seeds", "301"], "301 seeds asked for"),
    (["table3", "--steps", "0"], "steps must be a whole number, 1 or more"),
    (["table3", "--step-size", "nan"], "step_size must be finite and not negative"),
    (["table3", "--step-size", "1e308"], "epsilon must be finite and not negative"),
    (["table3", "--random-state", "-1"], "random_state must be a whole number, 0 or more"),
    (["readings", "--trainings", "0"], "trainings must be a whole number, 1 or more"),
    (["figure9", "--trend-seeds", "0"], "trend_seeds must be a whole number, 1 or more"),
    (["figure9", "--trend-steps", "1"], "trend_steps must be a whole number, 2 or more"),
    (["table3", "--jobs", "0"], "jobs must be a whole number, 1 or more"),
    (["table3", "--backend", "dask"], "--backend takes processes or ray, not 'dask'"),
    (["table3", "--address", "auto"], "address is for the backend 'ray', not for 'processes'"),
    (["table3", "--attack", "pgd"], "No such option: --attack"),
    (["table3", "--out"], "--out"),
]


@pytest.mark.parametrize(("arguments", "text"), ERRORS, ids=lambda v: " ".join(v) or "nothing")
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(rafair, tmp_path, arguments, text):
    refused = rafair("reproduce", *arguments)
    assert refused.code == 2
    assert text in refused.complaint
    assert list(tmp_path.iterdir()) == []


def test_an_output_path_that_is_a_file_is_refused_and_kept(rafair, tmp_path):
    (tmp_path / "page").write_text("mine")
    for out, text in (("page", "page is a file; name a directory"), ("page/below", "page/below")):
        refused = rafair("reproduce", "table2", "--dataset", "credit", "--out", out)
        assert refused.code == 2
        assert text in refused.complaint
    assert (tmp_path / "page").read_text() == "mine"


@contextlib.contextmanager
def impatient(*, quiet):
    """Stand for a person who presses Ctrl-C at the third cell."""
    seen = []

    def tell(what, _done, _total):
        seen.append(what)
        if len(seen) == 3:
            raise KeyboardInterrupt

    assert not quiet
    yield tell


def test_an_interrupted_run_says_how_it_goes_on_and_does(rafair, tmp_path, monkeypatch):
    command = ("reproduce", "table3", "--out", "page", *SMALL)
    with monkeypatch.context() as patched:
        patched.setattr(terminal, "progress", impatient)
        stopped = rafair(*command)
    assert stopped.code == 130
    assert stopped.complaint == "interrupted; the same command goes on from here"
    kept = names_in(tmp_path / "page" / "cells")
    assert len(kept) == 2
    assert not set(PAGES) & set(names_in(tmp_path / "page"))
    times = [(tmp_path / "page" / "cells" / name).stat().st_mtime_ns for name in kept]
    assert rafair(*command).code == 0
    assert set(PAGES) <= set(names_in(tmp_path / "page"))
    assert times == [(tmp_path / "page" / "cells" / n).stat().st_mtime_ns for n in kept]
    assert set(kept) < set(names_in(tmp_path / "page" / "cells"))
