"""The section of a model card, in cards of skops and of the Hugging Face Hub."""

from dataclasses import replace

import pytest

from rafair.bridges import hugging_face, skops
from rafair.bridges.section import TITLE, section

HOSTILE = "<script>|`x` [a](b)\n# head"


@pytest.fixture
def hostile(run):
    return replace(run, metrics={**run.metrics, "dataset": HOSTILE})


def test_the_section_has_the_answer_and_the_hash(run):
    text = section(run)
    assert f"{run.metrics['clean']['af']:.3f}" in text
    assert f"{run.metrics['robust']['r_af']['at_least']:.3f}" in text
    assert run.manifest["model"]["sha256"][:12] in text


def test_names_are_not_read_as_markup(hostile):
    text = section(hostile)
    for raw in ("<script>", "[a](b)", "\n# head", "`x`"):
        assert raw not in text


def test_a_card_of_skops_has_the_section(run, tmp_path):
    cards = pytest.importorskip("skops.card")
    model = pytest.importorskip("sklearn.linear_model").LogisticRegression()
    card = cards.Card(model)
    assert skops.add_section(card, run) is card
    skops.add_section(card, run, "Model description/Fairness")
    assert card.select(TITLE).content == section(run)
    assert card.select("Model description/Fairness").content == section(run)
    card.save(tmp_path / "README.md")
    assert section(run) in (tmp_path / "README.md").read_text("utf-8")


def test_a_card_of_the_hub_is_read_by_its_library(run):
    hub = pytest.importorskip("huggingface_hub")
    text = hugging_face.card(run, "credit-network")
    read = hub.ModelCard(text)
    found = {result.metric_type: result for result in read.data.eval_results}
    robust = run.metrics["robust"]["r_af"]
    assert found["r_af.at_least"].metric_value == robust["at_least"]
    assert found["r_af.at_least"].metric_name == "Robust accurate fairness proved to be at least"
    assert found["acc"].metric_args["ci"] == run.metrics["clean"]["ci"]["acc"]
    assert read.data.model_name == "credit-network"
    assert section(run) in read.text
