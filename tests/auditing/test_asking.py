"""Judge, certificate and repair of tables as one has them at hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import rafair
from rafair import certificates
from rafair.certificates import certify as certify_tensors
from rafair.fairness import judge as judge_tensors

SENSITIVE = ["sex"]


def people(n, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"income": rng.integers(10, 60, n), "sex": rng.choice(["f", "m"], n)})
    paid = (frame["income"] + 8 * (frame["sex"] == "m") > 34) ^ (rng.random(n) < 0.2)
    return frame, pd.Series(np.where(paid, "yes", "no"), name="paid")


@pytest.fixture(scope="module")
def asked():
    """A fitted pipeline, test rows and labels."""
    x, y = people(120, 1)
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(x, y), *people(30, 0)


@pytest.fixture(scope="module")
def tensors(asked):
    model, x, y = asked
    data = rafair.read_test(x, y, sensitive=SENSITIVE, classes=model.classes_)
    people = rafair.Counterparts.of(data.schema)
    return rafair.wrap(model, data.schema), data, people


def test_judge_of_a_table_is_that_of_its_tensors(asked, tensors):
    model, data, counterparts = tensors
    verdict = rafair.judge(*asked, sensitive=SENSITIVE)
    same = judge_tensors(model, data.test.x, data.test.y, counterparts)
    again = rafair.judge(model, data.test.x, data.test.y, counterparts)
    assert verdict.cells.tolist() == same.cells.tolist() == again.cells.tolist()
    assert rafair.judge(model, data).cells.tolist() == same.cells.tolist()
    # By hand: everybody of both sexes.
    pipeline, x, y = asked
    both = [pipeline.predict(x.assign(sex=sex)) for sex in ("f", "m")]
    assert verdict.fair.tolist() == (both[0] == both[1]).tolist()
    assert verdict.accurate.tolist() == (pipeline.predict(x) == y).tolist()


@pytest.mark.parametrize("claim", ["accurate_fair", "accurate", "fair"])
def test_certificates_of_a_table_are_those_of_its_tensors(asked, tensors, claim):
    model, data, counterparts = tensors
    usual = rafair.certify(*asked, sensitive=SENSITIVE, claim=claim)
    for epsilon, found in (
        (0.1, usual),
        (0.3, rafair.certify(*asked, sensitive=SENSITIVE, claim=claim, epsilon=0.3)),
    ):
        space = rafair.PerturbationSpace.of(data.schema, epsilon=epsilon, setting="feasible")
        problem = (model, data.test.x, data.test.y, counterparts, space)
        same = certify_tensors(*problem, claim=claim)
        assert found.status.tolist() == same.status.tolist()
        assert torch.equal(rafair.certify(*problem, claim=claim).status, same.status)
    assert {1, -1} <= set(usual.status.tolist())


NEAR = {"sensitive": ["sex", "income"], "within": {"income": 5}}


def test_people_of_a_table_are_compared_within_a_distance(asked):
    pipeline, x, y = asked
    data = rafair.read_test(x, y, classes=pipeline.classes_, **NEAR)
    model, counterparts = rafair.wrap(pipeline, data.schema), rafair.Counterparts.of(data.schema)
    problem = (model, data.test.x, data.test.y, counterparts)
    verdict = rafair.judge(*asked, **NEAR)
    assert verdict.cells.tolist() == judge_tensors(*problem).cells.tolist()
    far = rafair.judge(*asked, sensitive=NEAR["sensitive"])
    assert verdict.fair.sum() > far.fair.sum()
    # By hand: everybody of both sexes, with an income of somebody's at most 5 away.
    for row, fair in enumerate(verdict.fair.tolist()):
        own = x["income"].iloc[row]
        near = [pay for pay in sorted(set(x["income"])) if abs(pay - own) <= 5]
        others = pd.DataFrame([(pay, sex) for pay in near for sex in "fm"], columns=x.columns)
        assert fair == (len(set(pipeline.predict(others))) == 1)
    space = rafair.PerturbationSpace.of(data.schema, epsilon=0.1, setting="feasible")
    found = rafair.certify(*asked, **NEAR)
    assert found.status.tolist() == certify_tensors(*problem, space).status.tolist()
    audited = rafair.audit(*asked, n_seeds=6, steps=1, attacks="pgd", certify=False, **NEAR)
    assert audited.metrics["comparable"] == ["income within 5 of own"]
    assert "income within 5 of own" in str(rafair.check(*asked, **NEAR))
    # A dataset takes it too; and what is no number by name is refused.
    assert rafair.judge(pipeline, data, within={"income": 99}).fair.tolist() == far.fair.tolist()
    for within, says in (
        (5, "within is for columns by name"),
        ({"sex": 1}, "within is for numbers"),
    ):
        with pytest.raises(rafair.InvalidInput, match=says):
            rafair.check(*asked, sensitive=NEAR["sensitive"], within=within)


def test_cells_of_a_table_are_those_of_its_tensors(asked, tensors):
    model, data, counterparts = tensors
    space = rafair.PerturbationSpace.of(data.schema, epsilon=0.1, setting="feasible")
    problem = (model, data.test.x, data.test.y, counterparts, space)
    same = certificates.certify_cells(*problem)
    found = rafair.certify_cells(*asked, sensitive=SENSITIVE)
    assert found.status.tolist() == same.status.tolist()
    assert rafair.certify_cells(*problem).status.tolist() == same.status.tolist()
    with pytest.raises(rafair.InvalidInput, match="comes with counterparts and space"):
        rafair.certify_cells(*problem, epsilon=0.1)


def test_a_run_on_frames_is_repaired_with_the_frames(asked):
    out = rafair.audit(*asked, sensitive=SENSITIVE, n_seeds=6, steps=2, attacks="pgd")
    repaired = rafair.repair_run(out, *asked)
    assert set(repaired.metrics["repairs"]) == {"pgd"}
    model, x, y = asked
    with pytest.raises(rafair.InvalidInput, match="this is not the data that the run audited"):
        rafair.repair_run(out, model, x.assign(income=x["income"].to_numpy()[::-1]), y)


def test_what_belongs_to_the_other_form_is_refused(asked, tensors):
    model, data, counterparts = tensors
    x, y = data.test.x, data.test.y
    with pytest.raises(rafair.InvalidInput, match="sensitive is for a table"):
        rafair.judge(model, x, y, counterparts, sensitive=SENSITIVE)
    with pytest.raises(rafair.InvalidInput, match="comes with counterparts and space"):
        rafair.certify(model, x, y, counterparts)
    with pytest.raises(rafair.InvalidInput, match="pass them as y"):
        rafair.judge(asked[0], asked[1], sensitive=SENSITIVE)
    with pytest.raises(TypeError, match="sensitve"):
        rafair.judge(*asked, sensitve=SENSITIVE)
