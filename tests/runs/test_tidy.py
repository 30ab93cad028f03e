"""The rates of a result as a tidy frame."""

import pytest

import rafair


@pytest.fixture(scope="session")
def repaired(certified_run, credit, credit_model):
    return rafair.repair_run(certified_run, credit_model, credit)


def test_every_rate_of_the_metrics_is_one_row_and_no_other(repaired):
    left = repaired.to_frame()
    assert list(left.columns) == [
        "varied", "stage", "attack", "rate", "value", "low", "high", "bound",
    ]  # fmt: skip

    def take(value, interval, **where):
        nonlocal left
        match = left["value"].notna()
        for column, wanted in where.items():
            match &= left[column].isna() if wanted is None else left[column] == wanted
        assert match.sum() == 1, where
        row = left[match].iloc[0]
        assert (row["value"], [row["low"], row["high"]]) == (value, interval)
        left = left[~match]

    metrics = repaired.metrics
    for varied, found in ((None, metrics), *metrics["by_sensitive"].items()):
        tables = {("clean", None): found["clean"]}
        stages = {"attacks": "attacked", "repairs": "repaired", "repairable": "repairable"}
        for key, stage in stages.items():
            tables |= {(stage, name): rates for name, rates in found.get(key, {}).items()}
        for (stage, attack), rates in tables.items():
            for rate in set(rates) - {"ci"}:
                where = {"varied": varied, "stage": stage, "attack": attack, "rate": rate}
                take(rates[rate], rates["ci"][rate], **where, bound=None)
        for rate, ends in found["robust"].items():
            for bound in ("at_least", "at_most"):
                where = {"varied": varied, "stage": "robust", "attack": None, "rate": rate}
                take(ends[bound], ends["ci"][bound], **where, bound=bound)
    assert left.empty
    assert metrics["repairable"]


def test_without_proofs_there_is_no_lower_bound(credit, credit_model):
    run = rafair.audit(credit_model, credit, n_seeds=4, steps=1, certify=False)
    robust = run.to_frame().query("stage == 'robust'")
    assert set(robust["bound"]) == {"at_most"}
    rates = {"r_acc", "r_if", "r_af", "r_af_balanced"}
    assert set(robust["rate"]) == rates
    assert len(robust) == len(rates) * (1 + len(credit.schema.sensitive))


def test_the_frame_pivots_to_bounds_by_attribute(certified_run):
    robust = certified_run.to_frame().query("stage == 'robust' and rate == 'r_af'")
    bounds = robust.pivot_table("value", "varied", "bound", dropna=False)
    assert set(bounds.index.dropna()) == {"sex", "age"}
    assert (bounds["at_least"] <= bounds["at_most"]).all()
