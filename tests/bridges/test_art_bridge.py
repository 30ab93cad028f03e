"""Attacks to and from the Adversarial Robustness Toolbox."""

import importlib

import numpy as np
import pytest
import torch

import rafair
from rafair.attacks import FGSM, RAFair, registry
from rafair.attacks.registry import attack_classes
from rafair.bridges.art import art_attack, evasion_attack

EPSILON = 0.1


@pytest.fixture(scope="module")
def art(tmp_path_factory):
    """The toolbox, which writes a file to the home directory on import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        importlib.import_module("art.estimators.classification")
        importlib.import_module("art.attacks.evasion")
        return importlib.import_module("art")


@pytest.fixture
def own(monkeypatch):
    """Registered attacks that are forgotten afterwards."""
    monkeypatch.setattr(registry, "_registered", {})


def projected(evasion):
    options = {"eps": EPSILON, "eps_step": 0.05, "max_iter": 3, "norm": np.inf, "verbose": False}
    return art_attack("art-pgd", evasion.ProjectedGradientDescent, **options)


def test_an_attack_of_the_toolbox_is_audited_and_judged(art, own, credit, credit_model):
    projected(art.attacks.evasion)
    hops = {"max_iter": 2, "max_eval": 20, "init_eval": 2, "init_size": 10, "verbose": False}
    art_attack("art-hop", art.attacks.evasion.HopSkipJump, gradients=False, **hops)
    options = {"n_seeds": 12, "epsilon": EPSILON, "counterparts": 12, "certify": False}
    both = ["art-pgd", "art-hop", "pgd"]
    found = rafair.audit(credit_model, credit, attacks=both, steps=3, step_size=0.05, **options)
    rates = found.metrics["attacks"]
    assert rates["art-pgd"]["r_acc"] < found.metrics["clean"]["acc"]
    assert rates["art-pgd"]["r_acc"] <= rates["pgd"]["r_acc"] + 0.25
    assert found.manifest["cost"]["art-pgd"]["gradients"] > 0
    assert found.manifest["cost"]["art-hop"]["forwards"] > 0
    again = rafair.audit(credit_model, credit, attacks=["art-pgd"], **options)
    assert again.metrics["attacks"]["art-pgd"] == rates["art-pgd"]


def test_what_it_finds_lies_in_the_space_with_sensitive_columns_as_they_were(
    art, own, make_problem
):
    problem = make_problem(3, seed=4, dtype=torch.float64, epsilon=EPSILON)
    lattice = rafair.PerturbationSpace(
        EPSILON, problem.space.movable(problem.x), lattice=[0.05] * problem.x.shape[1]
    )
    wide = art_attack("art-wide", art.attacks.evasion.FastGradientMethod, eps=0.9)()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for space in (problem.space, lattice):
        moved = wide.run(problem.model, problem.x, problem.y, problem.counterparts, space).x_adv
        assert moved.dtype == problem.x.dtype
        assert space.contains(moved, problem.x).all()
        columns = list(problem.counterparts.columns)
        assert torch.equal(moved[:, columns], problem.x[:, columns])
        assert not torch.equal(moved, problem.x)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_only_evasion_attacks_under_a_free_name_are_taken(art, own):
    evasion = art.attacks.evasion
    with pytest.raises(rafair.InvalidInput, match="rafair has an attack 'pgd'"):
        art_attack("pgd", evasion.FastGradientMethod)
    with pytest.raises(rafair.InvalidInput, match="no evasion attack of ART"):
        art_attack("mine", dict)
    assert "mine" not in attack_classes()


def classifier(art, problem):
    return art.estimators.classification.PyTorchClassifier(
        problem.module.float(), loss=torch.nn.CrossEntropyLoss(), clip_values=(0.0, 1.0),
        input_shape=(problem.x.shape[1],), nb_classes=2, device_type="cpu",
    )  # fmt: skip


@pytest.mark.parametrize("attack", [FGSM(), RAFair(steps=3, step_size=0.05)])
def test_an_attack_of_rafair_generates_as_one_of_the_toolbox(art, make_problem, attack):
    problem = make_problem(2, seed=5, dtype=torch.float32, epsilon=EPSILON)
    problem = problem.but(x=problem.x.float())
    evasion = evasion_attack(classifier(art, problem), attack, problem.counterparts, problem.space)
    assert isinstance(evasion, art.attacks.attack.EvasionAttack)
    expected = attack.run(*problem.arguments).x_adv.numpy()
    y = problem.y.numpy()
    for labels in (y, np.eye(2)[y]):
        np.testing.assert_array_equal(evasion.generate(problem.x.numpy(), labels), expected)
    decided = problem.model.scores(problem.x).argmax(dim=1)
    alone = attack.run(*problem.but(y=decided).arguments).x_adv.numpy()
    np.testing.assert_array_equal(evasion.generate(problem.x.numpy()), alone)


def test_an_estimator_without_a_network_is_refused(art, make_problem):
    problem = make_problem(2)
    blind = art.estimators.classification.BlackBoxClassifier(lambda x: x, (6,), 2)
    with pytest.raises(rafair.InvalidInput, match="BlackBoxClassifier has no torch module"):
        evasion_attack(blind, FGSM(), problem.counterparts, problem.space)
