"""``out.plot``: axes of matplotlib that show the numbers of the run."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from rafair import InvalidInput, audit, read_table
from rafair.analysis import groups_of, people_of
from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def three_classes():
    """A function that decides among three classes; nothing can be proved of it."""
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"sex": rng.choice(["f", "m"], 60), "pay": rng.normal(50, 9, 60).round()})
    people["grade"] = pd.cut(people["pay"], 3, labels=["low", "middle", "high"]).astype(str)
    data = read_table(people, label="grade", positive="high", sensitive=["sex"], name="grades")

    def decide(frame):
        return np.clip((frame["pay"] + 3 * (frame["sex"] == "m") - 30) // 14, 0, 2).astype(int)

    return audit(decide, data, attacks=["random"], n_seeds=10, queries=10)


def test_curves_hold_what_is_proved_and_what_is_not_broken(certified_run):
    panels = certified_run.plot.curves()
    curve = certified_run.metrics["certificates"]["curve"]
    assert [axes.get_title() for axes in panels] == ["R-AF", "R-ACC", "R-IF"]
    unbroken, proved = panels[0].get_lines()
    assert (unbroken.get_color(), proved.get_color()) == (BROKEN, PROVED)
    clean = certified_run.metrics["clean"]["af"]
    rates = [point["claims"]["accurate_fair"] for point in curve]
    assert list(proved.get_xdata()) == [0.0, *(point["epsilon"] for point in curve)]
    assert list(proved.get_ydata()) == [clean, *(rate["proved"] for rate in rates)]
    assert list(unbroken.get_ydata()) == [clean, *(1 - rate["broken"] for rate in rates)]


def test_the_matrix_shows_the_four_rates_in_their_colours(credit_run):
    clean, attacked = credit_run.plot.matrix()
    assert clean.get_title() == "clean"
    assert attacked.get_title() == "under rafair"
    texts = {text.get_text() for text in attacked.texts}
    for key, colour in CELL_COLOURS.items():
        rate = credit_run.metrics["attacks"]["rafair"][key]
        assert f"{rate:.3f}" in texts
        bars = [
            each
            for each in attacked.patches
            if mpl.colors.to_hex(each.get_facecolor()).upper() == colour.upper()
        ]
        assert any(each.get_width() == pytest.approx(0.92 * rate) for each in bars)


def test_groups_show_the_shares_of_an_attribute_or_a_pair(credit_run):
    schema, epsilon = credit_run.manifest["schema"], credit_run.manifest["plan"]["epsilon"]
    people = people_of(credit_run.instances, credit_run.certificates, schema, epsilon)
    for groups in groups_of(people, schema["sensitive"]):
        names = groups[0].attributes
        axes = credit_run.plot.groups(*names)
        assert axes.get_title() == " × ".join(names)
        assert len(axes.get_yticks()) == len(groups)
        interval, share = axes.get_lines()[:2]
        assert list(share.get_xdata()) == [groups[0].clean["otherwise"]]
        assert list(interval.get_xdata()) == groups[0].clean["ci"]["otherwise"]
    assert credit_run.plot.groups().get_title() == schema["sensitive"][0]


def test_groups_that_are_none_are_refused(credit_run):
    with pytest.raises(InvalidInput, match="one or two of sex, age; it got income"):
        credit_run.plot.groups("income")


def test_curves_are_steps_between_which_the_truth_lies(certified_run):
    axes = certified_run.plot.curves()[0]
    unbroken, proved = axes.get_lines()
    assert unbroken.get_drawstyle() == "steps-post"  # at most what it was at the smaller ε
    assert proved.get_drawstyle() == "steps-pre"  # at least what it is at the larger one
    (path,) = axes.collections[0].get_paths()
    corners = {tuple(corner) for corner in path.vertices}
    radii, low, high = proved.get_xdata(), proved.get_ydata(), unbroken.get_ydata()
    for place in range(len(radii) - 1):
        for side in (radii[place], radii[place + 1]):
            assert {(side, low[place + 1]), (side, high[place])} <= corners


def test_without_certificates_the_curve_goes_from_the_clean_rate_to_that_under_attack(credit_run):
    metrics = {key: part for key, part in credit_run.metrics.items() if key != "certificates"}
    panels = replace(credit_run, metrics=metrics, certificates=None).plot.curves()
    for axes, key in zip(panels, ("af", "acc", "if"), strict=True):
        (unbroken,) = axes.get_lines()
        assert list(unbroken.get_xdata()) == [0.0, credit_run.manifest["plan"]["epsilon"]]
        robust = credit_run.metrics["robust"][f"r_{key}"]["at_most"]
        assert list(unbroken.get_ydata()) == [credit_run.metrics["clean"][key], robust]


def test_every_figure_works_for_three_classes_and_one_attribute_without_proofs(three_classes):
    assert three_classes.metrics["n_counterparts"] > 1
    assert len(three_classes.plot.curves()) == 3
    assert len(three_classes.plot.matrix()) == 2
    assert three_classes.plot.groups().get_title() == "sex"
