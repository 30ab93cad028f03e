import pytest

import rafair
from rafair.fairness import model_quality
from rafair.fairness.quality import accuracy_figures
from rafair.models import baseline, baseline_metrics, baseline_path

FLOORS = {"adult": 0.84, "bank": 0.895, "compas": 0.66, "credit": 0.73}


@pytest.mark.parametrize("name", FLOORS)
def test_a_baseline_is_as_good_as_promised_and_as_its_metrics_say(name):
    data, model = rafair.load_dataset(name), baseline(name)
    figures = accuracy_figures(model, data.test.x, data.test.y)
    assert figures["accuracy"] >= FLOORS[name]
    assert figures["balanced_accuracy"] >= 0.60
    assert figures["accuracy"] > figures["majority_share"]
    metrics = baseline_metrics(name)
    assert set(metrics) == {"accuracy", "balanced_accuracy", "majority_share", "if", "af"}
    for key, value in figures.items():
        assert metrics[key] == pytest.approx(value, abs=1e-3)


def test_the_fairness_in_the_metrics_is_the_judges(credit, credit_model):
    counterparts = rafair.Counterparts.of(credit.schema)
    quality = model_quality(credit_model, credit.test.x, credit.test.y, counterparts)
    assert baseline_metrics("credit") == pytest.approx(quality, abs=0.01)


@pytest.mark.parametrize("name", FLOORS)
def test_a_baseline_reads_the_columns_of_its_dataset(name):
    data = rafair.load_dataset(name)
    loaded = rafair.models.load_fcnn(baseline_path(name), data.schema)
    assert loaded.digest() == baseline(name).digest()


def test_an_unknown_baseline_is_refused_with_the_known_names():
    with pytest.raises(rafair.InvalidInput, match=r"no baseline for 'iris'.*adult, bank, compas"):
        baseline("iris")
