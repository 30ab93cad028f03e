"""Tables whose names and values clash with rafair's own."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import rafair
from rafair.report import render_pages


def table(**columns):
    generator = np.random.default_rng(0)
    n = 60
    frame = {name: generator.integers(0, 5, n) for name in columns.get("names", ())}
    return pd.DataFrame({**frame, "y": np.arange(n) % 2})


def audited(names, sensitive):
    data = rafair.read_table(table(names=names), label="y", sensitive=sensitive)
    model = rafair.train_fcnn(data, epochs=1)
    return rafair.audit(model, data, n_seeds=8, steps=1)


@pytest.mark.parametrize(
    ("names", "sensitive"),
    [
        (["label", "feature_label", "a"], ["a"]),
        (["prediction", "loss", "b"], ["prediction", "loss"]),
        (["worst_a", "flip_a", "a"], ["a"]),
        (["x", "seed", "cell", "stage"], ["stage"]),
    ],
)
def test_every_column_of_the_instances_keeps_its_own_values(tmp_path, names, sensitive):
    run = audited(names, sensitive)
    assert run.instances.columns.is_unique
    data = rafair.read_table(table(names=names), label="y", sensitive=sensitive)
    clean = run.instances[run.instances["stage"] == "clean"]
    for feature in run.manifest["schema"]["features"]:
        expected = data.test.frame[feature["name"]].to_numpy()[clean["seed"].to_numpy()]
        np.testing.assert_array_equal(clean[feature["column"]].to_numpy(), expected)
    rafair.write_run(run, tmp_path / "run", render_pages)
    assert rafair.load_run(str(tmp_path / "run")).instances.columns.is_unique


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ([1, "x"] * 30, "mixes int and str"),
        ([[1]] * 60, "lists"),
        ([1 + 2j] * 60, "complex"),
        ([2**63 - 1, 0] * 30, "identifiers"),
        ([1e308, -1e308] * 30, "domain"),
    ],
)
def test_columns_that_are_no_features_are_refused_by_name(column, what):
    frame = table(names=["a"]).assign(odd=column)
    with pytest.raises(rafair.InvalidInput, match=what) as refused:
        rafair.read_table(frame, label="y", sensitive=["a"])
    assert "'odd'" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_without_rows_is_refused():
    with pytest.raises(rafair.InvalidInput):
        rafair.read_table(table(names=["a"]).head(0), label="y", sensitive=["a"])


def test_two_columns_of_one_name_are_refused():
    frame = table(names=["a", "b"]).set_axis(["a", "a", "y"], axis=1)
    with pytest.raises(rafair.InvalidInput, match="same name"):
        rafair.read_table(frame, label="y", sensitive=["a"])


def test_labels_that_are_dates_or_infinite_are_refused():
    for label in (pd.date_range("2020", periods=60), [0.0, np.inf] * 30):
        frame = table(names=["a"]).assign(y=label)
        with pytest.raises(rafair.InvalidInput, match="'y'"):
            rafair.read_table(frame, label="y", sensitive=["a"])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "run"
    rafair.write_run(audited(["a", "b"], ["a"]), path)
    return path


@pytest.mark.parametrize("lost", ["clean", "robust", "attacks", "by_sensitive"])
def test_a_run_with_a_key_missing_is_called_damaged(written, tmp_path, lost):
    path = shutil.copytree(written, tmp_path / "run") / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics[lost]
    path.write_text(json.dumps(metrics))
    with pytest.raises(rafair.InvalidInput, match=f"'{lost}' is missing; the file is damaged"):
        rafair.load_run(tmp_path / "run")


def test_parents_made_for_a_run_that_fails_are_removed(tmp_path):
    def failing(_run):
        raise OSError(28, "No space left on device")

    with pytest.raises(rafair.InvalidInput, match="No space left"):
        rafair.write_run(audited(["a", "b"], ["a"]), tmp_path / "p" / "q" / "run", failing)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_of_the_same_second_gets_its_own_directory(tmp_path):
    from rafair.runs import free_run

    assert free_run(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    assert free_run(tmp_path / "run") == tmp_path / "run-2"
