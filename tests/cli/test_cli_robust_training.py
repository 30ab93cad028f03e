"""``rafair train --method`` and ``--pareto``: what they print, write and refuse."""

import json
import re

import pytest
import torch

from rafair import load_dataset, load_model
from rafair.training import method_names
from rafair.training.pareto import Training

FEW = ("train", "credit", "--method", "certified", "--epochs", "2", "--out", "net.safetensors")


@pytest.fixture(autouse=True)
def _few_people(monkeypatch):
    monkeypatch.setattr("rafair.training.measuring.PEOPLE", 20)


def test_the_help_names_every_method(rafair):
    shown = " ".join(rafair("train", "--help").out.split())
    assert all(name in shown.replace("- ", "-") for name in method_names())


def test_a_collapse_is_told_with_exit_code_3(rafair, tmp_path):
    found = rafair(*FEW, "--strength", "1", "--epsilon", "0.9")
    assert found.code == 3
    assert "collapsed: the model became the constant model" in found.err
    assert "constant model" in found.out
    model = load_model(tmp_path / "net.safetensors", load_dataset("credit").schema)
    predicted = model.scores(load_dataset("credit").test.x.float()).argmax(dim=1)
    assert len(predicted.unique()) == 1


def test_figures_stand_beside_those_of_the_constant_model(rafair, tmp_path):
    found = rafair(*FEW[:4], "--strength", "0.1", "--epochs", "30", "--epsilon", "0.01", *FEW[6:])
    assert found.code == 0
    rows = {
        line.split()[0]: re.findall(r"\d\.\d{3}", line) for line in found.out.splitlines() if line
    }
    # Its accuracy is that of the test split, its R-AF that of the 20 people.
    assert rows["constant"] == ["0.700", "0.500", "0.650", "0.500", "0.650"]
    assert len(rows["certified"]) == 5
    assert "proofs about and attacks on 20 of them" in " ".join(found.out.split())
    assert rows["certified"] != rows["constant"]
    assert "epoch 10/30  loss " in found.err
    assert "certified R-AF" in found.err
    assert not (tmp_path / "net.safetensors.checkpoint").exists()


def test_an_interrupted_training_is_resumed_to_the_same_bytes(rafair, tmp_path, monkeypatch):
    from rafair.cli import robust_training

    assert rafair(*FEW, "--quiet").code in (0, 3)
    whole = (tmp_path / "net.safetensors").read_bytes()
    (tmp_path / "net.safetensors").unlink()

    def stop(done, total, figures):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # A checkpoint is written after the line of progress: stop in the second epoch.
        told = robust_training._told

        def late(quiet):
            show = told(quiet)
            return lambda done, total, figures: (
                stop(done, total, figures) if done == 2 else show(done, total, figures)
            )

        patched.setattr(robust_training, "_told", late)
        assert rafair(*FEW).code == 130
    assert (tmp_path / "net.safetensors.checkpoint").is_file()
    other = rafair(*FEW[:-4], "--epochs", "3", *FEW[-2:], "--resume")
    assert (other.code, "with other options" in other.err) == (2, True)
    assert rafair(*FEW, "--resume").code in (0, 3)
    assert (tmp_path / "net.safetensors").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--balanced",), "--balance is for robust training"),
        (("--epsilon", "0.1"), "--epsilon is for robust training"),
        (("--method", "magic"), "unknown method 'magic'"),
        (("--method", "certified", "--plain"), "--plain is for the baseline"),
        (("--method", "certified", "--strength", "2"), "strength must lie in [0, 1]"),
        (("--method", "certified", "--balanced", "--balance", "0.5"), "give one of them"),
        (("--method", "certified", "--resume"), "no checkpoint to resume"),
        (("--pareto", "--method", "certified"), "--pareto tries several values of --method"),
    ],
)
def test_options_without_a_meaning_are_refused(rafair, options, told):
    found = rafair("train", "credit", *options)
    assert found.code == 2
    assert told in found.err


def test_the_trade_off_is_written_and_taken_up_again(rafair, tmp_path, monkeypatch):
    few = (Training("standard", 0.0), Training("certified", 0.5, without_sensitive=True))
    monkeypatch.delenv("COLUMNS", raising=False)  # set where pytest's own workers begin
    monkeypatch.setattr("rafair.training.pareto.TRAININGS", few)
    monkeypatch.setattr("rafair.training.measuring.PEOPLE", 20)
    first = rafair("train", "credit", "--pareto", "--epochs", "2", "--out", "pareto")
    assert first.code == 0
    found = json.loads((tmp_path / "pareto" / "pareto.json").read_text())
    names = [point["name"] for point in found["points"]]
    assert names == ["constant model", "baseline", *(each.label for each in few)]
    assert all(name in first.out for name in names)
    assert (tmp_path / "pareto" / "pareto.svg").read_bytes().startswith(b"<?xml")
    monkeypatch.setattr("rafair.training.pareto.fit_robust", None)  # nothing is trained again
    assert rafair("train", "credit", "--pareto", "--epochs", "2", "--out", "pareto") == first


def test_trees_and_monotone_columns_are_trained(rafair, tmp_path):
    asked = ("--depth", "2", "--monotone", "duration=decreasing", "--out", "trees.safetensors")
    found = rafair("train", "credit", "--method", "boosted-stumps", "--epochs", "2", *asked)
    assert found.code in (0, 3)
    credit = load_dataset("credit")
    model = load_model(tmp_path / "trees.safetensors", credit.schema)
    assert model.kind == "sum of stumps and of trees of depth 2"
    place, grid = credit.schema.index("duration"), torch.linspace(0, 1, 100)
    rows = credit.test.x[:20].float().repeat_interleave(100, 0)
    rows[:, place] = grid.repeat(20)
    assert (model.scores(rows)[:, 1].view(20, 100).diff(dim=1) <= 0).all()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--method", "boosted-stumps", "--monotone", "duration"), "write COLUMN=increasing"),
        (("--method", "boosted-stumps", "--monotone", "sex=increasing"), "have no order"),
        (("--method", "boosted-stumps", "--depth", "0"), "depth"),
        (("--method", "certified", "--depth", "2"), "use method 'boosted-stumps'"),
        (("--method", "logistic", "--monotone", "age=increasing"), "use method 'boosted-stumps'"),
        (("--depth", "2"), "--depth is for robust training"),
        (("--monotone", "age=increasing"), "--monotone is for robust training"),
        (("--pareto", "--depth", "2"), "--pareto tries several values of --depth"),
    ],
)
def test_depth_and_directions_that_have_no_meaning_are_refused(rafair, asked, told):
    assert told in rafair("train", "credit", *asked).complaint
