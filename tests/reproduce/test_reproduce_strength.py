"""The strength of attacks, against certificates and audits by hand."""

import pytest
import torch

from rafair import (
    Counterparts,
    PerturbationSpace,
    baseline,
    certify,
    certify_cells,
    judge,
    load_dataset,
)
from rafair.attacks.registry import attack_classes, make_attack
from rafair.fairness import CELLS, choose_seeds
from rafair.reproduce import Study, reproduce

STUDY = Study(datasets=("credit",), n_seeds=12, steps=3)
EPSILONS = (0.01, 0.05, 0.1, 0.2)
FOLLOWING = [attack for attack in attack_classes().values() if attack.gradients]
ROWS = [row for attack in FOLLOWING for row in attack.variants]


@pytest.fixture(scope="module")
def section(tmp_path_factory):
    return reproduce("strength", tmp_path_factory.mktemp("strength"), STUDY)["strength"]


@pytest.fixture(scope="module")
def credit_seeds():
    data = load_dataset("credit")
    index = choose_seeds(data.test.x, STUDY.n_seeds)
    people = Counterparts.of(data.schema)
    return data, baseline("credit"), data.test.x[index], data.test.y[index], people


CLAIMS = ("accurate", "fair", "accurate_fair")
FAMILIES = ("rafair", "cell", "ensemble")


def kept(verdict, claim):
    return {"accurate": verdict.accurate, "fair": verdict.fair}.get(claim, verdict.cells == 0)


def test_every_attack_is_measured_at_every_radius_on_every_claim(section):
    assert list(section.data["credit"]) == [f"{e:g}" for e in EPSILONS]
    for found in section.data["credit"].values():
        assert set(found["claims"]) == set(CLAIMS)
        for strength in found["claims"].values():
            assert set(strength["hit"]) == {*ROWS, *FAMILIES}
        assert set(found["gradients"]) == set(found["forwards"]) == set(ROWS)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_seeds_are_counted_as_certificates_say(section, credit_seeds, epsilon, claim):
    data, model, x, y, people = credit_seeds
    before = kept(judge(model, x, y, people), claim)
    space = PerturbationSpace.of(data.schema, epsilon)
    status = certify(model, x, y, people, space, claim=claim).status[before]
    found = section.data["credit"][f"{epsilon:g}"]["claims"][claim]
    counted = [found[name] for name in ("impossible", "possible", "undecided")]
    assert counted == [int((status == value).sum()) for value in (1, -1, 0)]
    assert sum(counted) == int(before.sum())


def test_the_cells_are_counted_as_certificates_say(section, credit_seeds):
    data, model, x, y, people = credit_seeds
    before = judge(model, x, y, people).cells
    status = certify_cells(model, x, y, people, PerturbationSpace.of(data.schema, 0.1)).status
    for cell, found in section.data["credit"]["0.1"]["cells"].items():
        outside = status[before != CELLS.index(cell), CELLS.index(cell)]
        counted = [found[name] for name in ("impossible", "possible", "undecided")]
        assert counted == [int((outside == value).sum()) for value in (-1, 1, 0)]
        assert set(found["hit"]) == {f"rafair-{cell.lower()}", f"cell-{cell.lower()}"}
        assert found["conflicts"] == 0
        assert max(found["hit"].values()) <= found["possible"]


@pytest.mark.parametrize("name", ["rafair-ff", "pgd", "multi-apgd"])
def test_an_attack_breaks_what_any_of_its_iterates_breaks(section, credit_seeds, name):
    data, model, x, y, people = credit_seeds
    space = PerturbationSpace.of(data.schema, 0.1)
    options = {} if name == "multi-apgd" else {"step_size": 0.1 / STUDY.steps}
    result = make_attack(name, steps=STUDY.steps, **options).run(model, x, y, people, space)
    verdicts = [judge(model, points, y, people) for points in result.trajectory.points]
    one = section.data["credit"]["0.1"]
    for claim in CLAIMS:
        broken = torch.stack([~kept(verdict, claim) for verdict in verdicts]).any(dim=0)
        broken &= kept(verdicts[0], claim)
        found = one["claims"][claim]
        assert found["hit"][name] == int(broken.sum())
        assert found["strength"][name] == int(broken.sum()) / found["possible"]
    assert one["gradients"][name] == pytest.approx(result.n_gradients / len(x))
    assert one["forwards"][name] == pytest.approx(result.n_forwards / len(x))


def test_the_ensemble_is_the_strongest_on_every_claim_and_nothing_breaks_a_proof(section):
    for one in section.data["credit"].values():
        for found in one["claims"].values():
            assert found["conflicts"] == 0
            assert found["hit"]["ensemble"] == max(found["hit"].values())
            assert found["hit"]["ensemble"] == found["possible"]
            assert found["hit"]["rafair"] >= max(found["hit"][row] for row in ROWS[:3])


def test_the_terminal_and_the_page_show_the_shares(section):
    rows = {row[0]: row[1:] for row in section.summary.rows}
    found = [one["claims"]["accurate_fair"] for one in section.data["credit"].values()]
    assert {strength["possible"] > 0 for strength in found} == {False, True}
    assert set(rows) == {*ROWS, *FAMILIES}
    for name, shown in rows.items():
        shares = (strength["strength"][name] for strength in found)
        assert shown == tuple("–" if share is None else f"{share:.3f}" for share in shares)
