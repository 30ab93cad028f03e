"""Person by person: the mean is the rate of metrics.json, whatever instances are counted."""

import pytest

from rafair.comparing.people import people_of

OPTIONS = {
    "last": {},
    "worst": {"select": "worst"},
    "pooled": {"select": "pooled"},
    "unproved": {"certify": False},
    "two attacks": {"attacks": ["rafair", "fgsm"]},
}


@pytest.fixture(scope="module")
def runs(audited):
    return {name: audited(**options) for name, options in OPTIONS.items()}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_mean_over_people_is_the_rate(runs, name):
    run = runs[name]
    rates = people_of(run).rates
    assert len(rates) > 20
    for (stage, attack, rate), bounds in rates.items():
        ends = float(bounds.low.mean()), float(bounds.high.mean())
        if stage == "robust":
            known = run.metrics["robust"][rate]
            low = known["at_most"] if known["at_least"] is None else known["at_least"]
            assert ends == pytest.approx((low, known["at_most"]))
        else:
            of = run.metrics["clean"] if attack is None else run.metrics["attacks"][attack]
            assert ends == pytest.approx((of[rate], of[rate])), (stage, attack, rate)


def test_what_the_worst_instances_do_not_say_is_left_out(runs):
    rates = people_of(runs["worst"]).rates
    assert not {"r_acc", "r_if", "r_dissent"} & {rate for _, _, rate in rates}
