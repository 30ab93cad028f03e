"""Rates by group: counted from instances.parquet and certificates.parquet by their formulas."""

import numpy as np
import pandas as pd
import pytest

from rafair.analysis import SMALL, group_levels, groups_of, people_of
from rafair.fairness.rates import wilson


def groups_of_run(run):
    schema = run.manifest["schema"]
    people = people_of(run.instances, run.certificates, schema, run.manifest["plan"]["epsilon"])
    return list(groups_of(people, schema["sensitive"]))


def test_every_share_of_a_group_is_counted_from_the_tables(certified_run):
    run = certified_run
    table, proofs = run.instances, run.certificates
    clean = table[table["stage"] == "clean"].set_index("seed")
    jointly = proofs[proofs["varied"].isna() & (proofs["claim"] == "accurate_fair")]
    status = jointly[jointly["epsilon"] == run.manifest["plan"]["epsilon"]].set_index("seed")
    by_sex = next(groups for groups in groups_of_run(run) if groups[0].attributes == ("sex",))
    assert sum(group.n for group in by_sex) == run.metrics["n_seeds"]
    for group in by_sex:
        part = clean[clean["sex"] == group.levels[0]]
        biased = part[part["flip_prediction"].notna()]
        assert group.n == len(part)
        assert group.clean["otherwise"] == len(biased) / len(part)
        assert group.clean["ci"]["otherwise"] == wilson(len(biased), len(part))
        gain = (biased["prediction"] == "bad") & (biased["flip_prediction"] == "good")
        lose = (biased["prediction"] == "good") & (biased["flip_prediction"] == "bad")
        assert group.clean["gain"] == gain.sum() / len(part)
        assert group.clean["lose"] == lose.sum() / len(part)
        assert group.clean["gain"] + group.clean["lose"] == group.clean["otherwise"]
        proved = (status.loc[part.index, "status"] == "proved").sum()
        assert group.r_af["at_least"] == proved / len(part)
        assert group.is_small == (len(part) < SMALL)


@pytest.mark.parametrize("name", ["certified_run", "credit_run", "own_run"])
def test_groups_add_up_to_the_rates_of_the_run(name, request):
    run = request.getfixturevalue(name)
    for groups in groups_of_run(run):
        sizes = [group.n for group in groups]
        assert sum(sizes) == run.metrics["n_seeds"]
        fair = np.average([group.clean["otherwise"] for group in groups], weights=sizes)
        assert 1 - fair == pytest.approx(run.metrics["clean"]["if"])
        for end in ("at_least", "at_most"):
            whole = np.average([group.r_af[end] for group in groups], weights=sizes)
            assert whole == pytest.approx(run.metrics["robust"]["r_af"][end])


def test_there_is_a_table_for_each_attribute_and_each_pair(certified_run):
    attributes = [groups[0].attributes for groups in groups_of_run(certified_run)]
    assert attributes == [("sex",), ("age",), ("sex", "age")]


def test_without_certificates_nothing_is_proved(certified_run):
    schema = certified_run.manifest["schema"]
    people = people_of(certified_run.instances, None, schema, 0.1)
    assert "proved" not in people
    assert next(groups_of(people, schema["sensitive"]))[0].r_af["at_least"] is None


def test_the_favourable_class_decides_who_gains(certified_run):
    schema = {**certified_run.manifest["schema"], "favourable": "bad"}
    turned = people_of(certified_run.instances, None, schema, 0.1)
    schema["favourable"] = "good"
    people = people_of(certified_run.instances, None, schema, 0.1)
    assert (turned["gain"] == people["lose"]).all()
    assert (turned["lose"] == people["gain"]).all()


def one_feature(values, unit=""):
    schema = {"sensitive": ["a"], "features": [{"name": "a", "column": "x", "unit": unit}]}
    return group_levels(pd.DataFrame({"x": values}), schema)[0]


def test_many_numbers_become_bands_of_about_as_many_people():
    found = one_feature(range(20, 60), "years")
    assert found.value_counts().to_dict() == {
        "20 to 29 years": 10, "30 to 39 years": 10, "40 to 49 years": 10, "50 to 59 years": 10,
    }  # fmt: skip
    assert list(found.cat.categories) == sorted(found.unique())


def test_few_numbers_levels_and_empty_cells_are_groups_of_their_own():
    assert list(one_feature([2.0, 10.0, None, 2.0]).cat.categories) == ["2", "10", "missing"]
    assert list(one_feature(["b", "a", None]).cat.categories) == ["a", "b", "missing"]
    assert list(one_feature([True, False]).cat.categories) == ["False", "True"]
    with_gaps = one_feature([None, *range(40)])
    assert with_gaps.iloc[0] == "missing"
    assert with_gaps.notna().all()
