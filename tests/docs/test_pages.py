"""The pages with steps to follow: each runs from the top to the end, in an empty directory."""

import shutil
from pathlib import Path

import pytest
from steps import DOCS, follow

import rafair
from rafair.attacks import registry


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registered", {})


def test_five_minutes_lead_to_a_report(capsys):
    for path in (DOCS / "start").iterdir():
        shutil.copy(path, ".")
    _, printed = follow("start.md", capsys, skipped=["install"], plan="first/plan.toml")
    for name in ("first", "second"):
        assert (Path(name) / "report.html").exists()
    first, second = (rafair.load_run(name) for name in ("first", "second"))
    assert "denied: gives approved away" in next(iter(printed.values()))
    assert any("denied" in note for note in first.manifest["dataset"]["notes"])
    assert not any("denied" in note for note in second.manifest["dataset"]["notes"])
    assert {f["name"] for f in second.manifest["schema"]["features"]}.isdisjoint(
        {"denied", "action"}
    )
    assert second.metrics["robust"]["r_af"]["at_least"] is not None


def test_the_tables_of_the_first_page_are_named_by_its_install():
    text = (DOCS / "start.md").read_text(encoding="utf-8")
    for path in (DOCS / "start").iterdir():
        assert f"docs/start/{path.name}" in text


def test_an_attack_of_ones_own_is_audited(capsys):
    names, _ = follow("own-attack.md", capsys)
    rates = names["found"].metrics["attacks"]
    assert list(rates) == ["corners", "fgsm"]
    assert rates["corners"]["r_acc"] <= names["found"].metrics["clean"]["acc"]


@pytest.fixture
def _bridged(tmp_path, monkeypatch):
    """Import what the bridges lead to, with another home directory, since ART writes there.

    ART closes all handlers of logging that it finds, and that of Keras closes its stream, unless it
    is standard error. So both must meet before capsys stands in for standard error.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    for library in ("fairlearn", "skops", "huggingface_hub", "art"):
        pytest.importorskip(library)


@pytest.mark.usefixtures("_bridged")
def test_the_bridges_carry_over_a_run(capsys):
    names, _ = follow("bridges.md", capsys, skipped=["mlflow"])
    assert set(names["both"].metrics["attacks"]) >= {"rafair", "art-pgd", "art-hop"}
    assert names["x_adv"].shape == names["x"].shape


def test_a_model_is_trained_and_proved(capsys):
    names, printed = follow("training.md", capsys, skipped=["own data and Adult"])
    assert names["model"].figures_.r_af > 0.6
    assert not names["model"].collapsed_
    assert rafair.load_model("credit.safetensors", names["data"].schema).kind == "sum of stumps"
    assert any("boosted-stumps" in text for text in printed.values())


def test_models_of_ones_own_are_taken(capsys):
    names, _ = follow("own-model.md", capsys)
    assert names["model"].access == names["same"].access == "gradient"
    assert names["run"].manifest["proofs"]["why_not"] is not None


def test_trees_are_proved(capsys):
    names, _ = follow("trees.md", capsys)
    assert names["run"].manifest["proofs"]["why_not"] is None
    assert "boxes" in names["run"].metrics["attacks"]
    robust = names["run"].metrics["robust"]["r_af"]
    assert 0 < robust["at_least"] <= robust["at_most"] <= names["run"].metrics["clean"]["af"]


def test_guards_repairs_and_advice_are_measured(capsys):
    names, printed = follow("guard.md", capsys)
    assert len(names["answers"]) == 300
    guarded, run = rafair.load_run("runs/guarded"), rafair.load_run("runs/credit")
    assert guarded.metrics["robust"]["r_if"]["at_least"] == 1
    assert set(run.metrics) >= {"label_free", "advice"}
    assert Path("runs/credit/advice.json").exists()
    assert any("Which change helps most?" in text for text in printed.values())


def test_whole_splits_are_audited(capsys):
    names, _ = follow("whole-splits.md", capsys, skipped=["long"])
    kept = rafair.load_run("runs/split")
    assert names["run"].metrics["n_seeds"] == kept.metrics["n_seeds"] == 300


def test_ray_computes_on_this_machine(capsys):
    pytest.importorskip("ray")
    _, printed = follow("ray.md", capsys, skipped=["cluster"])
    assert len(printed) == 1
    assert Path("runs/tried/report.html").exists()


def test_the_gallery_makes_every_picture_that_it_shows(capsys):
    follow("gallery.md", capsys)
    made = {path.name for path in Path("figures").iterdir()}
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert {name for name in made if "![" in text and f"(figures/{name})" in text} == made
    for name in made:
        assert (DOCS / "figures" / name).exists()
