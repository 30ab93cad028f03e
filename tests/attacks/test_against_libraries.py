"""The attacks that other libraries have too, side by side."""

import copy
import importlib

import numpy as np
import pytest
import torch
from captum import robust as captum

import rafair
from rafair.attacks import ACG, APGD, FGSM, PGD
from rafair.attacks.acg import _beta
from rafair.fairness.decisions import predict

EPSILON, STEP, STEPS = 0.2, 0.06, 5


@pytest.fixture(scope="module")
def art(tmp_path_factory):
    """The Adversarial Robustness Toolbox, which writes a file to the home directory on import."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(tmp_path_factory.mktemp("home")))
        importlib.import_module("art.estimators.classification")
        importlib.import_module("art.attacks.evasion")
        return importlib.import_module("art")


@pytest.fixture(scope="module")
def on_credit(make_problem, credit, credit_model):
    """200 people in float32, as the other libraries have them."""
    return make_problem(2).but(
        model=credit_model,
        x=credit.test.x[:200].float(),
        y=credit.test.y[:200],
        counterparts=rafair.Counterparts.of(credit.schema, sample=5),
        space=rafair.PerturbationSpace.of(credit.schema, EPSILON),
    )


@pytest.fixture(scope="module", params=["three classes", "credit"])
def shared(request, make_problem, on_credit):
    if request.param == "credit":
        return on_credit
    problem = make_problem(3, seed=2, n=40, dtype=torch.float32, epsilon=EPSILON)
    return problem.but(x=problem.x.float())


def mask_of(problem):
    return problem.space.movable(problem.x).float()


def by_captum(name, problem, *arguments):
    """Cross-entropy on the scores; only a gradient of zero counts as one."""
    entropy = torch.nn.CrossEntropyLoss(reduction="none")
    attack = getattr(captum, name)(problem.module, entropy, 0.0, 1.0)
    getattr(attack, "fgsm", attack).zero_thresh = 0.0
    mask = mask_of(problem).expand_as(problem.x)
    return attack.perturb(problem.x.clone(), *arguments, target=problem.y, mask=mask)


def by_art(art, name, problem, **parameters):
    estimator = art.estimators.classification.PyTorchClassifier(
        copy.deepcopy(problem.module),
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(problem.x.shape[1],),
        nb_classes=problem.model.scores(problem.x[:1]).shape[1],
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = getattr(art.attacks.evasion, name)(
        estimator, norm=np.inf, eps=EPSILON, batch_size=256, **parameters
    )
    found = attack.generate(problem.x.numpy(), problem.y.numpy(), mask=mask_of(problem).numpy())
    return torch.from_numpy(found)


def assert_same(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning")
def test_fgsm_is_captums(shared):
    assert_same(FGSM().run(*shared.arguments).x_adv, by_captum("FGSM", shared, EPSILON))


def test_fgsm_is_that_of_the_toolbox(shared, art):
    x_adv = FGSM().run(*shared.arguments).x_adv
    assert_same(x_adv, by_art(art, "FastGradientMethod", shared))
    assert not torch.equal(x_adv, shared.x)


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning")
def test_pgd_is_captums_step_by_step(shared):
    points = PGD(STEP, STEPS, random_start=False).run(*shared.arguments).trajectory.points[1:]
    for steps in range(1, STEPS + 1):
        assert_same(points[steps], by_captum("PGD", shared, EPSILON, STEP, steps))


def test_pgd_is_that_of_the_toolbox_step_by_step(shared, art):
    points = PGD(STEP, STEPS, random_start=False).run(*shared.arguments).trajectory.points[1:]
    for steps in range(1, STEPS + 1):
        parameters = {"eps_step": STEP, "max_iter": steps, "verbose": False}
        assert_same(points[steps], by_art(art, "ProjectedGradientDescent", shared, **parameters))


def robust_accuracy(problem, x_adv):
    return float((predict(problem.model, x_adv) == problem.y).double().mean())


@pytest.fixture
def automatic(art, monkeypatch):
    """One of the toolbox's adaptive attacks, its random start masked like the rest."""

    def run(name, problem):
        module = importlib.import_module(getattr(art.attacks.evasion, name).__module__)
        anywhere, mask = module.random_sphere, mask_of(problem).numpy()
        monkeypatch.setattr(module, "random_sphere", lambda *what: anywhere(*what) * mask)
        np.random.seed(0)  # noqa: NPY002 - the toolbox draws from it
        x_adv = by_art(
            art,
            name,
            problem,
            eps_step=2 * EPSILON,
            max_iter=20,
            nb_random_init=1,
            loss_type="cross_entropy",
            verbose=False,
        )
        columns = list(problem.counterparts.columns)
        assert_same(x_adv[:, columns], problem.x[:, columns])
        return robust_accuracy(problem, x_adv)

    return run


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (APGD(loss="cross_entropy"), "AutoProjectedGradientDescent"),
        (APGD(loss="margin"), "AutoProjectedGradientDescent"),
        (ACG(loss="cross_entropy"), "AutoConjugateGradient"),
        (ACG(loss="margin"), "AutoConjugateGradient"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.loss,
)
def test_an_adaptive_attack_is_as_strong_as_that_of_the_toolbox(on_credit, automatic, attack, name):
    reached = robust_accuracy(on_credit, attack.run(*on_credit.arguments).x_adv)
    assert reached <= automatic(name, on_credit) + 0.01
    assert reached < robust_accuracy(on_credit, on_credit.x) - 0.2


def test_acg_keeps_up_with_the_toolboxs_auto_pgd(on_credit, automatic):
    """Its own ACG leaves out the sign in the L∞ norm and is no match."""
    reached = robust_accuracy(on_credit, ACG().run(*on_credit.arguments).x_adv)
    assert reached <= automatic("AutoProjectedGradientDescent", on_credit) + 0.02


def test_beta_is_that_of_the_toolbox(art):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(3, 50, 8, generator=generator, dtype=torch.float64)
    module = importlib.import_module("art.attacks.evasion.auto_conjugate_gradient")
    expected = torch.from_numpy(module.get_beta(*(part.numpy() for part in rows)))
    torch.testing.assert_close(_beta(*rows), expected, rtol=1e-4, atol=1e-6)
