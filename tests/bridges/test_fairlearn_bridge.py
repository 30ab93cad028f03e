"""Fairlearn's own frame of a run's decisions, against the instances."""

import pytest

from rafair import InvalidInput
from rafair.bridges.fairlearn import metric_frame

metrics = pytest.importorskip("fairlearn.metrics")
EDGES = [18, 30, 45, 100]


@pytest.mark.parametrize("attack", [None, "rafair-ff"])
def test_the_overall_accuracy_is_that_of_the_run(run, attack):
    frame = metric_frame(run, attack, sensitive=["sex"])
    assert isinstance(frame, metrics.MetricFrame)
    rates = run.metrics["clean"] if attack is None else run.metrics["attacks"][attack]
    assert frame.overall["accuracy"] == pytest.approx(rates["acc" if attack is None else "r_acc"])


def test_every_group_has_the_rates_of_its_people(run):
    frame = metric_frame(run, bins={"age": EDGES})
    clean = run.instances.query("stage == 'clean'")
    assert frame.by_group["count"].sum() == len(clean)
    positive = run.manifest["schema"]["classes"][1]
    for (sex, age), rates in frame.by_group.dropna().iterrows():
        low, high = (float(end) for end in age.strip("[)").split(","))
        group = clean[(clean["sex"] == sex) & clean["age"].between(low, high, inclusive="left")]
        assert rates["count"] == len(group)
        assert rates["selection_rate"] == pytest.approx((group["prediction"] == positive).mean())


def test_any_metric_and_option_of_fairlearn_is_taken(run):
    frame = metric_frame(
        run, metrics={"chosen": metrics.selection_rate}, sensitive=["sex"],
        n_boot=3, ci_quantiles=[0.5], random_state=0,
    )  # fmt: skip
    assert list(frame.by_group.columns) == ["chosen"]
    assert len(frame.overall_ci) == 1


def test_what_the_run_does_not_have_is_refused(run):
    with pytest.raises(InvalidInput, match="no attack 'pgd'; it has rafair-tb"):
        metric_frame(run, "pgd")
    with pytest.raises(InvalidInput, match="'duration' is no sensitive attribute"):
        metric_frame(run, sensitive=["duration"])
    with pytest.raises(InvalidInput, match="'duration' is no sensitive attribute"):
        metric_frame(run, bins={"duration": [0, 1]})
