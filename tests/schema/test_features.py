import pytest

import rafair
from rafair.schema import Feature, Schema

AGE = Feature("age", "integer", (20, 30), sensitive=True, observed=(20.0, 25.0, 30.0))
PRICE = Feature("price", "numeric", (1.0, 3.0), decimals=1)
FREE = Feature("free", "numeric", (0.0, 5.0))
SIZE = Feature("size", "ordinal", ("S", "M", "L"))
SCHEMA = Schema((AGE, PRICE, SIZE), "ok", ("no", "yes"))


def test_the_spacing_is_that_of_possible_values():
    assert AGE.spacing == pytest.approx(0.1)
    assert PRICE.spacing == pytest.approx(0.05)
    assert SIZE.spacing == 0.5
    assert FREE.spacing == 0.0


def test_the_axis_of_counterparts_is_what_was_observed_or_all_levels():
    assert AGE.axis.tolist() == [0.0, 0.5, 1.0]
    assert SIZE.axis.tolist() == [0.0, 0.5, 1.0]


def test_a_sensitive_feature_is_never_perturbable():
    assert not Feature(
        "sex", "categorical", ("f", "m"), sensitive=True, perturbable=True
    ).perturbable
    assert SIZE.perturbable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "text", ("x",)), "feature 'a': unknown kind 'text'; use one of"),
        (("a", "categorical", ("x", "y", "x")), "feature 'a': a level occurs twice"),
        (("a", "ordinal", ()), "feature 'a': the domain has no level"),
        (("a", "numeric", (1.0,)), r"feature 'a': the domain must be \(low, high\)"),
        (("a", "numeric", (2.0, 1.0)), "two finite numbers with low <= high"),
        (("a", "integer", (0, float("inf"))), "two finite numbers with low <= high"),
        (("a", "integer", (float("nan"), 1)), "two finite numbers with low <= high"),
        (("a", "integer", ("0", "1")), "two finite numbers with low <= high"),
    ],
)
def test_a_feature_without_meaning_is_refused(arguments, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        Feature(*arguments)


def test_a_schema_knows_its_columns():
    assert SCHEMA.names == ("age", "price", "size")
    assert SCHEMA.sensitive == ("age",)
    assert SCHEMA.positive == "yes"
    assert SCHEMA.index("size") == 2
    with pytest.raises(rafair.InvalidInput, match="no column 'sex'; the features are age, price"):
        SCHEMA.index("sex")


def test_a_schema_refuses_repeated_columns_and_a_single_class():
    with pytest.raises(rafair.InvalidInput, match="column 'age' occurs more than once"):
        Schema((AGE, AGE), "ok", ("no", "yes"))
    with pytest.raises(rafair.InvalidInput, match="column 'age' occurs more than once"):
        Schema((AGE,), "age", ("no", "yes"))
    with pytest.raises(rafair.InvalidInput, match="label 'ok' has 1 class"):
        Schema((AGE,), "ok", ("no",))


def test_other_features_can_be_made_sensitive():
    other = SCHEMA.with_sensitive(["size"])
    assert other.sensitive == ("size",)
    assert [feature.perturbable for feature in other.features] == [True, True, False]
    assert SCHEMA.sensitive == ("age",)


def test_a_sensitive_choice_without_meaning_is_refused():
    with pytest.raises(rafair.InvalidInput, match="no column 'race'"):
        SCHEMA.with_sensitive(["race"])
    with pytest.raises(rafair.InvalidInput, match="no sensitive column given"):
        SCHEMA.with_sensitive([])
