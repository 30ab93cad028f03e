"""A gate on known numbers gives the known verdict, at the bounds too."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.gating import measure
from rafair.gating.verdict import GateCheck, status_of, worst_of

SHARES = st.floats(0, 1)
UNDER, OVER = 1e-9, 1e-9


@pytest.mark.parametrize(
    ("limit", "status"),
    [(0.4, "pass"), (0.4 + OVER, "inconclusive"), (0.7, "inconclusive"), (0.7 + OVER, "fail")],
)
def test_a_proved_rate_passes_at_the_lower_end_and_fails_above_the_upper_one(known, limit, status):
    verdict = rafair.gate(known(), min={"r_af": limit})
    assert (verdict.status, verdict.checks[0].value) == (status, 0.5)
    assert (verdict.checks[0].low, verdict.checks[0].high) == (0.4, 0.7)


@pytest.mark.parametrize(
    ("limit", "status"),
    [(0.3, "pass"), (0.3 - UNDER, "inconclusive"), (0.1, "inconclusive"), (0.1 - UNDER, "fail")],
)
def test_a_cell_is_judged_under_the_attack_that_makes_it_largest(known, limit, status):
    (check,) = rafair.gate(known(), max={"tbr": limit}).checks
    assert (check.status, check.value, check.ground) == (status, 0.2, "under rafair")


@pytest.mark.parametrize(
    ("limit", "status"), [(0.7, "pass"), (0.8, "inconclusive"), (0.9 + OVER, "fail")]
)
def test_a_clean_rate_is_judged_on_its_interval(known, limit, status):
    assert rafair.gate(known(), min={"acc": limit}).status == status


def test_without_a_proof_what_no_attack_broke_counts_unless_a_proof_is_required(known):
    run = known(proved=False)
    loose, strict = (rafair.gate(run, min={"r_af": 0.5}, require_proof=p) for p in (False, True))
    assert (loose.status, strict.status) == ("pass", "inconclusive")
    assert loose.checks[0].ground == "under attack at most"
    assert "a proof is required" in strict.checks[0].sentence
    assert rafair.gate(run, min={"r_af": 0.8}, require_proof=True).status == "fail"
    assert rafair.gate(known(), min={"r_af": 0.4}, require_proof=True).status == "pass"


def test_attacks_without_effect_let_no_rate_under_attack_pass(known):
    run = known(proved=False, inconclusive=True)
    assert rafair.gate(run, max={"tbr": 0.9}).status == "inconclusive"
    assert rafair.gate(run, min={"r_af": 0.1}).status == "inconclusive"
    assert rafair.gate(run, min={"acc": 0.5}).status == "pass"


def test_one_failure_outweighs_everything_and_one_open_check_outweighs_passes(known):
    passed, open_, failed = {"acc": 0.5}, {"acc": 0.8}, {"acc": 0.95}
    for several, code in ((passed, 0), (open_, 3), (failed, 1)):
        assert rafair.gate(known(), min={**several, "af": 0.1}).exit_code == code
    mixed = rafair.gate(known(), min={"acc": 0.95, "if": 0.7, "af": 0.1})
    assert [check.status for check in mixed.checks] == ["fail", "inconclusive", "pass"]
    assert (mixed.exit_code, mixed.passed) == (1, False)


@given(SHARES, SHARES, SHARES)
def test_a_limit_is_kept_by_all_of_the_interval_by_none_or_by_some(limit, one, other):
    low, high = sorted((one, other))
    for kind, keeps in (("min", lambda rate: rate >= limit), ("max", lambda rate: rate <= limit)):
        kept = {keeps(low), keeps(high)}
        expected = {(True,): "pass", (False,): "fail"}.get(tuple(kept), "inconclusive")
        assert status_of(kind, limit, low, high) == expected
    assert status_of("max_drop", limit, low, high) == status_of("max", limit, low, high)


def test_no_check_at_all_passes():
    assert worst_of(()) == "pass"


def test_a_verdict_is_frozen(known):
    verdict = rafair.gate(known(), min={"acc": 0.5})
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.status = "pass"
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.checks[0].status = "pass"


def test_every_number_is_that_of_the_metrics(small_run):
    robust, clean = small_run.metrics["robust"], small_run.metrics["clean"]
    for rate in ("r_acc", "r_if", "r_af"):
        found = measure(small_run.metrics, rate)
        ends = robust[rate]["ci"]["at_least"][0], robust[rate]["ci"]["at_most"][1]
        assert (found.value, found.low, found.high) == (robust[rate]["at_least"], *ends)
    for rate in ("acc", "if", "af", "dissent"):
        found = measure(small_run.metrics, rate)
        assert (found.value, found.low, found.high) == (clean[rate], *clean["ci"][rate])
    attacks = small_run.metrics["attacks"].values()
    for rate in ("tbr", "ffr", "fbr", "r_dissent"):
        assert measure(small_run.metrics, rate).value == max(rates[rate] for rates in attacks)


def test_a_rate_without_anybody_undecided_is_proved_to_be_what_it_is(known):
    rate = {
        "at_least": 0.5,
        "at_most": 0.5,
        "ci": {key: [0.4, 0.6] for key in ("at_least", "at_most")},
    }
    assert measure({"robust": {"r_af": rate}}, "r_af").ground == "proved to be"
    assert measure(known().metrics, "r_af").ground == "proved to be at least"


def test_a_drop_is_judged_on_the_interval_of_the_paired_difference(small_run):
    change = rafair.compare(small_run, small_run).find("r_af")
    most = -change.ci[0]
    drops = {limit: rafair.gate(small_run, baseline=small_run, max_drop={"r_af": limit})
             for limit in (most, most - UNDER)}  # fmt: skip
    assert [verdict.status for verdict in drops.values()] == ["pass", "inconclusive"]
    (check,) = drops[most].checks
    assert (check.value, check.high) == (-change.difference[0], most)
    assert check.name == f"max-drop r_af={most:g}"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({}, "a gate needs a limit"),
        ({"min": {"f1": 0.5}}, "min: unknown rate 'f1'"),
        ({"max_drop": {"r_af": 0.1}}, "a baseline is missing"),
        ({"max_drop": {"tbr": 0.1}}, "max_drop: unknown rate 'tbr'"),
        ({"baseline": "runs/old", "min": {"acc": 0.1}}, "max_drop is missing"),
    ],
)
def test_a_gate_that_cannot_decide_anything_is_refused(known, limits, text):
    with pytest.raises(rafair.InvalidInput, match=text):
        rafair.gate(known(), **limits)


def test_the_assertion_names_every_check(known):
    with pytest.raises(AssertionError, match=r"acc=0\.95: failed(.|\n)*af=0\.1: passed"):
        rafair.assert_robustly_fair(known(), min={"acc": 0.95, "af": 0.1})
    with pytest.raises(AssertionError, match="inconclusive"):
        rafair.assert_robustly_fair(known(), min={"acc": 0.8})
    assert rafair.assert_robustly_fair(known(), min={"acc": 0.5}).passed


def test_a_check_says_what_it_rests_on():
    check = GateCheck("acc", "min", 0.5, 0.75, 0.6, 0.9, "clean", "pass")
    assert check.sentence == "min acc=0.5: passed, clean 0.750 (95 %: 0.600 to 0.900)"
