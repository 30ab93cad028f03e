"""What the package promises to its callers: the names, and the example of the design."""

import json
import subprocess
import sys

import pytest
import torch

import rafair


@pytest.fixture(scope="module")
def problem():
    data = rafair.load_dataset("credit")
    model = rafair.baseline("credit")
    counterparts = rafair.Counterparts.of(data.schema)
    space = rafair.PerturbationSpace.of(data.schema, epsilon=0.2)
    return model, data.test.x[:6], data.test.y[:6], counterparts, space


@pytest.mark.parametrize("name", rafair.__all__)
def test_every_public_name_resolves(name):
    assert getattr(rafair, name) is not None
    assert name in dir(rafair)


def test_all_is_sorted_and_without_repetition():
    assert list(rafair.__all__) == sorted(set(rafair.__all__))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'unfair'"):
        _ = rafair.unfair
    with pytest.raises(AttributeError, match="has no attribute 'DeepFool'"):
        _ = rafair.attacks.DeepFool


@pytest.mark.parametrize("statement", ["import rafair", "from rafair.cli import main"])
def test_importing_loads_no_heavy_library(statement):
    heavy = ["torch", "pandas", "matplotlib", "scipy", "pyarrow"]
    program = f"{statement}; import sys; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_errors_can_be_caught_as_value_errors():
    assert issubclass(rafair.InvalidInput, rafair.RafairError)
    assert issubclass(rafair.InvalidInput, ValueError)
    with pytest.raises(ValueError, match="unknown dataset"):
        rafair.load_dataset("iris")


def test_the_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert rafair.__version__ == version("rafair")


@pytest.mark.parametrize("name", ["adult", "bank", "compas", "credit"])
def test_every_benchmark_has_tensors_and_a_baseline_that_reads_them(name):
    data, model = rafair.load_dataset(name), rafair.baseline(name)
    assert data.train.x.shape[1] == data.test.x.shape[1] == len(data.schema.features)
    scores = model.scores(data.test.x[:5].to(model.dtype))
    assert scores.shape == (5, 2)
    predicted = model.scores(data.test.x.to(model.dtype)).argmax(dim=1)
    majority = max(float(data.test.y.double().mean()), 1 - float(data.test.y.double().mean()))
    assert float((predicted == data.test.y).double().mean()) > majority


def test_a_torch_module_is_wrapped_as_it_is():
    data = rafair.load_dataset("credit")
    module = torch.nn.Linear(len(data.schema.features), 2)
    assert rafair.wrap(module).module is module
    for output in ("auto", "logits"):
        assert rafair.wrap(module, schema=data.schema, output=output).module is module


def test_counterparts_come_from_a_schema_a_product_or_a_grid():
    schema = rafair.load_dataset("credit").schema
    assert len(rafair.Counterparts.of(schema)) == 106
    product = rafair.Counterparts.product(columns=[2, 5], values=[[0, 1], [0, 0.5, 1]])
    grid = rafair.Counterparts([2, 5], product.grid)
    assert len(product) == len(grid) == 6
    x = torch.rand(3, 7, dtype=torch.float64)
    assert torch.equal(product.expand(x), grid.expand(x))
    assert product.expand(x).shape == (3, 6, 7)


def test_a_perturbation_space_takes_scalars_sequences_and_tensors():
    mask = [True, False, True]
    spaces = [
        rafair.PerturbationSpace(epsilon=0.2, perturbable=mask, lower=0.0, upper=1.0),
        rafair.PerturbationSpace(
            epsilon=[0.2] * 3, perturbable=mask, lower=[0.0] * 3, upper=[1.0] * 3
        ),
        rafair.PerturbationSpace(
            torch.tensor(0.2), torch.tensor(mask), torch.zeros(3), torch.ones(3)
        ),
    ]
    origin = torch.full((1, 3), 0.5, dtype=torch.float64)
    moved = origin + torch.tensor([[0.3, 0.3, -0.1]], dtype=torch.float64)
    for space in spaces:
        projected = space.project(moved, origin)
        assert torch.allclose(projected, torch.tensor([[0.7, 0.5, 0.4]], dtype=torch.float64))
        assert space.contains(projected, origin).tolist() == [True]
        assert space.contains(moved, origin).tolist() == [False]


@pytest.mark.parametrize("setting", ["paper", "feasible"])
def test_a_space_of_a_schema_never_moves_a_sensitive_feature(setting):
    schema = rafair.load_dataset("credit").schema
    space = rafair.PerturbationSpace.of(schema, epsilon=0.2, setting=setting)
    movable = space.movable(torch.zeros(1, len(schema.features)))
    assert movable.any()
    assert not any(movable[schema.index(name)] for name in schema.sensitive)


@pytest.mark.parametrize("mode", ["true_biased", "false_fair", "false_biased"])
def test_attack_judge_and_repair_fit_together(problem, mode):
    model, x, y, counterparts, space = problem
    attack = rafair.attacks.RAFair(mode=mode, step_size=0.01, steps=2, loss="mse")
    attacked = attack.run(model, x, y, counterparts, space)
    assert attacked.x_adv.shape == x.shape
    assert attacked.x_adv.dtype == x.dtype
    assert attacked.trajectory.points.shape == (3, *x.shape)
    assert attacked.n_gradients > 0
    assert space.contains(attacked.x_adv, x).all()

    verdict = rafair.judge(model, attacked.x_adv, y, counterparts, K=0.0)
    assert verdict.accurate.dtype == verdict.fair.dtype == torch.bool
    assert verdict.cells.dtype == torch.int64
    assert torch.equal(verdict.cells == 0, verdict.accurate & verdict.fair)
    assert {"acc", "if", "af", "tfr", "tbr", "ffr", "fbr", "ci"} == set(verdict.rates())

    benign = rafair.repair.Benign(step_size=0.01, steps=2, loss="mse")
    fixed = benign.run(model, attacked.x_adv, y, counterparts, space)
    assert space.contains(fixed.x_adv, attacked.x_adv).all()


def test_a_table_of_ones_own_goes_from_file_to_report(tmp_path):
    lines = ["income,age,sex,approved"]
    for row in range(60):
        approved = "yes" if row % 29 > 12 else "no"
        lines.append(f"{900 + 37 * (row % 29)},{20 + row % 13},{'fm'[row % 2]},{approved}")
    (tmp_path / "loans.csv").write_text("\n".join(lines))
    data = rafair.read_table(
        tmp_path / "loans.csv", label="approved", positive="yes", sensitive=["sex", "age"]
    )
    model = rafair.train_fcnn(data, epochs=1)
    out = rafair.audit(model, data, attacks="rafair", n_seeds=4, random_state=0, steps=1)
    assert out.metrics["dataset"] == "loans"
    json.dumps(out.metrics)
    assert len(out.instances) == 4 * 5
    rafair.write_report(out, str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    "name", ["rafair.guarding.estimator.Guard", "rafair.training.estimator.RobustClassifier"]
)
def test_an_estimator_without_scikit_learn_names_the_extra(monkeypatch, name):
    home, _, estimator = name.rpartition(".")
    monkeypatch.delitem(sys.modules, home, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(rafair.InvalidInput, match=r"pip install 'rafair\[sklearn\]'"):
        getattr(rafair, estimator)
