"""The findings in words."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rafair import audit, baseline, load_dataset, wrap
from rafair.report.cautions import warnings
from rafair.report.words import answer, percent, quality, strongest_attack


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-9, "under 1 %"),
        (0.004, "under 1 %"),
        (0.005, "under 1 %"),
        (0.01, "1 %"),
        (0.5, "50 %"),
        (0.625, "62 %"),
        (0.99, "99 %"),
        (0.995, "over 99 %"),
        (0.996, "over 99 %"),
        (1 - 1e-9, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_percentages_read_as_expected(share, text):
    assert percent(share) == text


@given(st.floats(0, 1))
def test_only_nothing_is_zero_and_only_all_is_a_hundred(share):
    assert (percent(share) == "0 %") == (share == 0)
    assert (percent(share) == "100 %") == (share == 1)


@given(st.floats(0, 1))
def test_a_percentage_is_within_half_a_point(share):
    text = percent(share)
    number = float(text.removesuffix(" %").split()[-1])
    slack = 1 if text.startswith(("under", "over")) else 0.5
    assert abs(number - 100 * share) <= slack + 1e-9


def rates(prefix="", **shares):
    cells = {"tfr": 1.0, "tbr": 0.0, "ffr": 0.0, "fbr": 0.0, **shares}
    main = {
        f"{prefix}acc": cells["tfr"] + cells["tbr"],
        f"{prefix}if": cells["tfr"] + cells["ffr"],
        f"{prefix}af": cells["tfr"],
    }
    graded = {f"{prefix}dissent": (cells["tbr"] + cells["fbr"]) / 2}
    both = {**main, **cells, **graded}
    return {**both, "ci": {name: [0.1, 0.9] for name in both}}


def bound(low, high):
    ci = {"at_most": [0.1, 0.9]} | ({} if low is None else {"at_least": [0.05, 0.8]})
    return {"at_least": low, "at_most": high, "ci": ci}


@pytest.fixture
def run(plain_run):
    """A run with figures that are easy to read."""
    clean = rates(tfr=0.8, tbr=0.1, ffr=0.06, fbr=0.04)
    attacked = {
        "rafair-tb": rates("r_", tfr=0.5, tbr=0.3, ffr=0.1, fbr=0.1),
        "rafair-ff": rates("r_", tfr=0.25, tbr=0.05, ffr=0.6, fbr=0.1),
        "rafair": rates("r_", tfr=0.25, tbr=0.45, ffr=0.2, fbr=0.1),
    }
    metrics = {
        "dataset": "credit",
        "n_seeds": 200,
        "n_counterparts": 106,
        "clean": clean,
        "robust": {name: bound(0.25, 0.25) for name in ("r_acc", "r_if", "r_af")},
        "attacks": attacked,
        "repairs": {},
        "by_sensitive": {
            "sex": {"clean": rates(tfr=0.88, tbr=0.02, ffr=0.1), "attacks": attacked},
            "age": {"clean": rates(tfr=0.8, tbr=0.1, ffr=0.08, fbr=0.02), "attacks": attacked},
        },
    }
    manifest = deepcopy(plain_run.manifest)
    manifest["plan"]["epsilon"] = 0.2
    manifest["proofs"] = {"why_not": None, "stopped": False}
    return replace(plain_run, metrics=metrics, manifest=manifest)


def test_the_strongest_attack_is_the_lowest_and_of_equals_the_family(run):
    assert strongest_attack(run.metrics) == "rafair"
    run.metrics["attacks"]["rafair-tb"]["r_af"] = 0.1
    assert strongest_attack(run.metrics) == "rafair-tb"


def test_the_answer_says_what_the_figures_say(run):
    assert answer(run) == [
        (
            "Of 200 people, 90 % are predicted correctly, and 80 % are predicted correctly "
            "whatever their sex or age."
        ),
        (
            "Whatever changes by at most 0.2 of each feature's range, 25 % still are (95 % "
            "interval 5 to 90 %); 25 % are still predicted correctly themselves, and 25 % are "
            "still decided alike whatever their sex or age."
        ),
        "That is proved: for everybody else an example shows that it is not so.",
        (
            "What breaks most often is a decision right for them but different for someone like "
            "them (true biased): 45 % of all."
        ),
        (
            "Before any attack 14 % of the decisions depend on a sensitive attribute; age alone "
            "changes 12 %, more than any other."
        ),
        (
            "On average 7 % of a person's counterparts are decided otherwise than the person "
            "(dissent; 95 % interval 10 to 90 %), under rafair 28 %."
        ),
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [("tbr", "(true biased)"), ("ffr", "(false fair)"), ("fbr", "(false biased)")],
)
def test_the_commonest_way_to_break_is_named(run, cell, words):
    run.metrics["attacks"] = {"rafair": rates("r_", tfr=0.5, **{cell: 0.5})}
    assert f"{words}: 50 % of all." in answer(run)[3]


def test_a_run_in_which_nothing_broke_says_so(run):
    run.metrics["attacks"] = {"rafair": rates("r_")}
    assert answer(run)[3] == "No instance broke under rafair."


def test_a_fair_model_is_called_one(run):
    run.metrics["clean"] = rates()
    assert answer(run)[4] == "Before any attack no sensitive attribute changes a decision."


def shaken(run, **proofs):
    """The run where R-ACC is known, R-AF between two figures, and R-IF known to a permille."""
    robust = {
        "r_acc": bound(0.5, 0.5),
        "r_if": bound(0.75, 0.7504),
        "r_af": bound(0.125, 0.3),
    }
    manifest = {**run.manifest, "proofs": {**run.manifest["proofs"], **proofs}}
    return replace(run, metrics={**run.metrics, "robust": robust}, manifest=manifest)


def test_what_is_proved_and_what_is_not_broken_enclose_the_truth(run):
    first, second = answer(shaken(run))[1:3]
    assert "12.5 to 30.0 % still are (95 % interval 5 to 90 %); 50 % are still" in first
    assert "75 % are still decided alike" in first
    assert second == (
        "The lower figures are proved. The upper ones leave out everybody whom an example breaks; "
        "the people in between are undecided."
    )


def test_proofs_that_ran_out_of_time_say_so(run):
    sentence = answer(shaken(run, stopped=True, max_seconds=60.0))[2]
    assert sentence.endswith("undecided. The proofs stopped after 60 s (--max-seconds).")


def test_without_proofs_the_shares_are_called_upper_bounds(run):
    run.metrics["robust"] = {name: bound(None, 0.3) for name in ("r_acc", "r_if", "r_af")}
    run.manifest["proofs"] = {"why_not": "this model is a riddle"}
    first, second = answer(run)[1:3]
    assert "at most 30 % still are (95 % interval 10 to 90 %)" in first
    assert second == (
        "These shares are upper bounds, the least that any attack left unbroken: nothing is "
        "proved, because this model is a riddle."
    )


def test_a_single_sensitive_attribute_is_named_without_comparison(run):
    del run.metrics["by_sensitive"]["sex"]
    assert answer(run)[4] == (
        "Before any attack 14 % of the decisions depend on a sensitive attribute, age."
    )


def test_a_repair_is_mentioned_with_what_it_needs(run):
    run.metrics["repairs"] = {"rafair": rates("r_", tfr=0.7, ffr=0.3)}
    assert answer(run)[6] == (
        "Benign perturbations, which need the true label, bring R-AF after rafair back to 70 %."
    )


def test_how_far_counterparts_may_differ_is_said(run):
    run.manifest["counterparts"]["comparable"] = ["age within 10 years of own"]
    assert answer(run)[0].endswith("whatever their sex or age (age within 10 years of own).")


def test_three_sensitive_attributes_are_listed(run):
    run.manifest["schema"]["sensitive"] = ["sex", "age", "race"]
    assert answer(run)[0].endswith("whatever their sex, age or race.")


def test_a_model_no_better_than_the_majority_is_warned_of(run):
    run.manifest["model"].update(accuracy=0.705, majority_share=0.7)
    assert any("always predicting the most frequent class (0.700)" in w for w in warnings(run))
    run.manifest["model"].update(accuracy=0.8, majority_share=0.7)
    assert not any("most frequent class" in warning for warning in warnings(run))


ONE_CLASS = "The model predicts one class for everybody"
BLIND = "every gradient is exactly zero"
USELESS = "changed no seed's cell: it shows nothing about the model"
HOLDS = "changed no seed's cell. With all of the domain within reach it changes"


class Step(nn.Module):
    """Two classes, and a gradient that is zero everywhere."""

    def forward(self, x):
        score = (x[:, 2] > 0.3).to(x.dtype) + 0 * x[:, 0]
        return torch.stack([score, 1 - score], dim=1)


class Constant(nn.Module):
    """One class for everybody, with gradients."""

    def forward(self, x):
        return torch.stack([x[:, 2], 9 + x[:, 3]], dim=1)


def warned(module, **options):
    model = wrap(module, output="logits")
    # None of these warnings depends on a proof but by a hint at its end.
    small = {"attacks": "pgd", "n_seeds": 12, "steps": 2, "step_size": 0.1, "counterparts": 4,
             "certify": False}  # fmt: skip
    found = warnings(audit(model, load_dataset("credit"), **{**small, **options}))
    kinds = (ONE_CLASS, BLIND, USELESS, HOLDS)
    return [any(kind in warning for warning in found) for kind in kinds]


def test_a_constant_model_is_warned_of():
    assert warned(Constant()) == [True, False, True, False]


def test_a_model_without_gradients_is_warned_of():
    assert warned(Step()) == [False, True, True, False]
    assert warned(Step(), attacks="ensemble")[1]


def test_an_attack_that_changes_nothing_is_warned_of():
    module = baseline("credit").module
    assert warned(module, epsilon=1e-9) == [False, False, False, True]
    assert warned(module, epsilon=0.0) == [False] * 4
    assert warned(module, steps=0) == [False] * 4


def test_an_ordinary_run_has_none_of_these_warnings():
    module = baseline("credit").module
    assert warned(module) == [False] * 4
    assert warned(module, attacks=["ensemble", "rafair-ff"]) == [False] * 4


def test_each_attack_that_changed_nothing_is_named(run):
    run.manifest["cost"] = {"pgd": {"changed": 0}, "acg": {"changed": 2}, "adf": {"changed": 0}}
    named = [warning for warning in warnings(run) if USELESS in warning]
    assert named == [f"{name} {USELESS}." for name in ("pgd", "adf")]


def test_a_family_of_which_one_mode_changes_something_is_not_warned_of(run):
    modes = ("rafair-tb", "rafair-ff", "rafair-fb")
    run.manifest["plan"]["epsilon"] = 0.1
    for changed, expected in (((0, 5, 0), []), ((0, 0, 0), [f"rafair {USELESS}."])):
        run.manifest["cost"] = {
            name: {"gradients": 1, "forwards": 0, "changed": count}
            for name, count in zip(modes, changed, strict=True)
        }
        assert [warning for warning in warnings(run) if USELESS in warning] == expected


@pytest.mark.parametrize(("share", "says"), [(0.04, None), (0.05, "At 5 % of"), (1.0, "At 100 %")])
def test_gradients_that_are_zero_are_warned_of_from_a_twentieth_on(run, share, says):
    run.manifest["zero_gradients"] = share
    found = [warning for warning in warnings(run) if BLIND in warning]
    assert [warning.startswith(says) for warning in found] == ([] if says is None else [True])


def test_a_run_of_an_earlier_version_has_no_such_warnings(run):
    for name in ("zero_gradients", "max_nodes"):
        run.manifest.pop(name, None)
    run.manifest["model"].pop("predicted_classes")
    for spent in run.manifest["cost"].values():
        del spent["changed"]
    kinds = (ONE_CLASS, BLIND, USELESS)
    assert not any(kind in warning for kind in kinds for warning in warnings(run))


def test_a_proof_that_an_attack_contradicted_is_warned_of(run):
    run.metrics["certificates"] = {"curve": [], "conflicts": 0}
    assert not any("a certificate is wrong" in warning for warning in warnings(run))
    run.metrics["certificates"]["conflicts"] = 3
    assert any(
        warning.startswith("3 seeds are proved and were broken all the same")
        for warning in warnings(run)
    )


def test_the_accuracy_stands_beside_that_of_a_constant_model(run):
    figures = {"accuracy": 0.8125, "majority_share": 0.7, "balanced_accuracy": 0.75}
    run.manifest["model"].update(figures)
    assert quality(run.manifest) == (
        "On the whole test split: accuracy 0.812, majority share 0.700, balanced accuracy 0.750."
    )


def test_a_sample_of_counterparts_is_warned_of(run):
    run.manifest["counterparts"] = {"checked": 12, "of": 106}
    assert any("Only 12 of 106 combinations" in warning for warning in warnings(run))
    run.manifest["counterparts"] = {"checked": 106, "of": 106}
    assert not any("combinations" in warning for warning in warnings(run))


def test_the_papers_setting_is_warned_of_and_the_feasible_one_is_not(run):
    run.manifest["plan"]["setting"] = "paper"
    assert any(warning.startswith("Setting paper") for warning in warnings(run))
    run.manifest["plan"]["setting"] = "feasible"
    assert not any(warning.startswith("Setting paper") for warning in warnings(run))
