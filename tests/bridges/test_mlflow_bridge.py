"""A run in a store of MLflow, read back by MLflow."""

import warnings

import pytest

import rafair
from rafair.bridges.mlflow import log_audit
from rafair.report import render_pages

with warnings.catch_warnings(action="ignore"):
    mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    yield
    mlflow.set_tracking_uri(before)


def test_rates_plan_hashes_and_files_are_logged(run, store, tmp_path):
    rafair.write_run(run, tmp_path / "audit", render_pages)
    with mlflow.start_run() as active:
        log_audit(tmp_path / "audit")
    logged = mlflow.get_run(active.info.run_id).data
    robust = run.metrics["robust"]["r_af"]
    assert logged.metrics["rafair.robust.r_af.at_least"] == robust["at_least"]
    assert logged.metrics["rafair.robust.r_af.at_most.high"] == robust["ci"]["at_most"][1]
    assert logged.metrics["rafair.clean.acc"] == run.metrics["clean"]["acc"]
    attacked = run.metrics["attacks"]["rafair-ff"]["ffr"]
    assert logged.metrics["rafair.attacked.rafair-ff.ffr"] == attacked
    assert "rafair.sex.clean.if" in logged.metrics
    assert logged.params["rafair.steps"] == "2"
    assert logged.tags["rafair.model.sha256"] == run.manifest["model"]["sha256"]
    kept = mlflow.MlflowClient().list_artifacts(active.info.run_id, "rafair")
    assert "rafair/report.html" in {each.path for each in kept}


def test_a_result_in_memory_is_logged_without_files(run, store):
    with mlflow.start_run() as active:
        log_audit(run)
    assert mlflow.MlflowClient().list_artifacts(active.info.run_id) == []
    assert mlflow.get_run(active.info.run_id).data.metrics["rafair.clean.af"] >= 0
