"""The strength of attacks, against certificates and audits by hand."""

import pytest
import torch

from rafair import Counterparts, PerturbationSpace, baseline, certify, judge, load_dataset
from rafair.attacks.registry import attack_classes, make_attack
from rafair.fairness import choose_seeds
from rafair.reproduce import Study, reproduce

STUDY = Study(datasets=("credit",), n_seeds=24, steps=3)
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


def test_every_attack_is_measured_at_every_radius(section):
    assert list(section.data["credit"]) == [f"{e:g}" for e in EPSILONS]
    for found in section.data["credit"].values():
        assert set(found["broken"]) == {*ROWS, "rafair"}
        assert set(found["gradients"]) == set(found["forwards"]) == set(ROWS)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_seeds_are_counted_as_certificates_say(section, credit_seeds, epsilon):
    data, model, x, y, people = credit_seeds
    fine = judge(model, x, y, people).cells == 0
    status = certify(model, x, y, people, PerturbationSpace.of(data.schema, epsilon)).status[fine]
    found = section.data["credit"][f"{epsilon:g}"]
    counted = [found[name] for name in ("robust", "breakable", "undecided")]
    assert counted == [int((status == value).sum()) for value in (1, -1, 0)]
    assert sum(counted) == int(fine.sum())
    assert found["breakable"] > 0


@pytest.mark.parametrize("name", ["rafair-ff", "pgd", "multi-apgd"])
def test_an_attack_breaks_what_any_of_its_iterates_breaks(section, credit_seeds, name):
    data, model, x, y, people = credit_seeds
    space = PerturbationSpace.of(data.schema, 0.1)
    options = {} if name == "multi-apgd" else {"step_size": 0.1 / STUDY.steps}
    result = make_attack(name, steps=STUDY.steps, **options).run(model, x, y, people, space)
    cells = [judge(model, points, y, people).cells for points in result.trajectory.points]
    fine = cells[0] == 0
    broken = (torch.stack(cells) != 0).any(dim=0) & fine
    found = section.data["credit"]["0.1"]
    assert found["broken"][name] == int(broken.sum())
    assert found["strength"][name] == int(broken.sum()) / found["breakable"]
    assert found["gradients"][name] == pytest.approx(result.n_gradients / len(x))
    assert found["forwards"][name] == pytest.approx(result.n_forwards / len(x))


def test_the_ensemble_is_the_strongest_and_nothing_breaks_a_proof(section):
    for found in section.data["credit"].values():
        assert found["conflicts"] == 0
        assert found["broken"]["ensemble"] == max(found["broken"].values())
        assert found["broken"]["ensemble"] == found["breakable"]
        assert found["broken"]["rafair"] >= max(found["broken"][row] for row in ROWS[:3])


def test_the_terminal_and_the_page_show_the_shares(section):
    rows = {row[0]: row[1:] for row in section.summary.rows}
    shares = [found["strength"] for found in section.data["credit"].values()]
    assert set(rows) == {*ROWS, "rafair"}
    for name, shown in rows.items():
        assert shown == tuple(f"{share[name]:.3f}" for share in shares)
