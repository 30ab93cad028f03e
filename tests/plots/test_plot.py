"""``out.plot``: axes of matplotlib that show the numbers of the run."""

import matplotlib as mpl
import pytest

from rafair import InvalidInput
from rafair.analysis import groups_of, people_of
from rafair.plots.palette import BROKEN, CELL_COLOURS, PROVED


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")


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


def test_what_cannot_be_drawn_is_refused(credit_run):
    from dataclasses import replace

    with pytest.raises(InvalidInput, match="one or two of sex, age; it got income"):
        credit_run.plot.groups("income")
    metrics = {key: part for key, part in credit_run.metrics.items() if key != "certificates"}
    with pytest.raises(InvalidInput, match="nothing in it is proved"):
        replace(credit_run, metrics=metrics).plot.curves()
