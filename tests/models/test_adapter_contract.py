"""What every adapter promises, whatever library the model comes from."""

import importlib
import os
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from rafair.guarding import GuardedClassifier
from rafair.models import Stumps, adapter_names
from rafair.models.agreement import random_people
from rafair.problem.batching import forward_rows
from rafair.trees import has_trees

N, K = 160, 2
ROWS = 37


def table(classes=K):
    """Whole and other numbers, an order, text, a truth; the label is text."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "age": np.r_[20, 60, rng.integers(20, 61, N - 2)],
            "income": np.r_[0.5, 90.5, rng.integers(1, 90, N - 2) + 0.25],
            "job": np.array(["cook", "judge", "nurse"])[np.arange(N) % 3],
            "size": np.array(["s", "m", "l", "s"])[np.arange(N) // 2 % 4],
            "married": rng.integers(0, 2, N),
            "sex": np.array(["f", "m"])[np.arange(N) // 3 % 2],
        }
    )
    worth = frame["age"] / 20 + frame["income"] / 45 + (frame["job"] == "judge")
    worth += (frame["sex"] == "m") + rng.normal(0, 0.3, N)
    bins = pd.qcut(worth, classes, labels=["high", "low", "middle"][:classes])
    return frame.assign(paid=bins.astype(str))


def numbers(classes=K):
    """The same people without text."""
    frame = table(classes)
    codes = {name: pd.factorize(frame[name])[0] for name in ("job", "size", "sex")}
    return frame.assign(**codes)


@cache
def data_of(text, classes=K):
    frame = table(classes) if text else numbers(classes)
    return rafair.read_table(frame, label="paid", sensitive=["sex"], name="people")


@dataclass(frozen=True)
class Example:
    """A model of one kind.

    Attributes
    ----------
    make : callable
        From (seed, classes, width) to a fitted model; another seed gives another model.
    own : callable
        From (model, schema, unit-space rows) to the library's own probabilities (n, k), in the
        order of the schema's classes.
    text : bool
        Whether it reads the table with text.
    """

    make: Callable[..., Any]
    own: Callable[..., Any]
    access: str
    text: bool = False
    pickled: bool = True
    needs: tuple[str, ...] = ()


def xy(seed, classes, width, text=False):
    frame = table(classes) if text else numbers(classes)
    frame = frame.sample(frac=1, random_state=seed).iloc[: N - 30 * (seed > 0)]
    rows, label = frame.drop(columns="paid"), frame["paid"]
    return rows.iloc[:, :width], label


def reordered(found, names, schema):
    """Columns in the order of the schema's classes."""
    names = [str(name) for name in names]
    return np.asarray(found, dtype=np.float64)[:, [names.index(c) for c in schema.classes]]


def network(seed, classes, width):
    torch.manual_seed(seed)
    hidden = nn.Linear(width, 8, dtype=torch.float64)
    last = nn.Linear(8, classes, dtype=torch.float64)
    last.weight.data *= 4
    return nn.Sequential(hidden, nn.ReLU(), last).eval()


def own_network(model, schema, x):
    with torch.no_grad():
        return torch.softmax(model(x), dim=1).numpy()


def pipeline(seed, classes, width):
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    before = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        (StandardScaler(), make_column_selector(dtype_include="number")),
    )
    model = make_pipeline(before, MLPClassifier((5,), max_iter=30, random_state=seed))
    return model.fit(*xy(seed, classes, width, text=True))


def forest(seed, classes, width):
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(6, max_depth=4, random_state=seed)
    return model.fit(*xy(seed, classes, width))


def own_sklearn(model, schema, x):
    return reordered(model.predict_proba(schema.decode(x)), model.classes_, schema)


class Rule:
    """A function of a frame, with weights of its own."""

    def __init__(self, seed, classes, width):
        self.weights = np.random.default_rng(seed).normal(size=(width, classes)) / 30

    def __call__(self, frame):
        rows = frame.to_numpy(dtype=np.float64)
        # Not a matrix product, whose rounding depends on how many rows there are.
        pairs = zip(rows.T, self.weights, strict=True)
        scores = sum(np.outer(column, weights) for column, weights in pairs)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def own_rule(model, schema, x):
    return model(schema.decode(x))


def onnx_network(seed, classes, width):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, label = xy(seed, classes, width)
    model = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=30, random_state=seed))
    model.fit(rows.to_numpy(np.float32), label)
    options = {id(model): {"zipmap": False}}
    return to_onnx(model, rows.to_numpy(np.float32)[:1], options=options)


def own_onnx(model, schema, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    rows = schema.decode(x).to_numpy(np.float32)
    found = session.run(None, {session.get_inputs()[0].name: rows})[1]
    return reordered(found, sorted(schema.classes), schema)


def keras_network(seed, classes, width):
    keras = imported_keras()
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((width,)),
            layers.Rescaling(1 / 50),
            layers.Dense(6, "relu", bias_initializer="random_normal"),
            layers.Dense(classes, "softmax", kernel_initializer="random_normal"),
        ]
    )


def own_keras(model, schema, x):
    rows = schema.decode(x).to_numpy(np.float32)
    return np.asarray(imported_keras().ops.convert_to_numpy(model(rows)))


def imported_keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = importlib.import_module("keras")
    if keras.backend.backend() != "torch":
        pytest.skip(f"Keras runs on {keras.backend.backend()}")
    return keras


def boosted(seed, classes, width):
    import xgboost

    rows, label = xy(seed, classes, width)
    codes = label.map({name: place for place, name in enumerate(sorted(set(label)))})
    model = xgboost.XGBClassifier(
        n_estimators=5, max_depth=3, n_jobs=1, learning_rate=0.5 + 0.1 * seed
    )
    return model.fit(rows, codes)


def own_boosted(model, schema, x):
    return model.predict_proba(schema.decode(x))


def lightened(seed, classes, width):
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=5, num_leaves=5, n_jobs=1, verbose=-1, learning_rate=0.3 + 0.1 * seed
    )
    return model.fit(*xy(seed, classes, width))


def catboosted(seed, classes, width):
    import catboost

    model = catboost.CatBoostClassifier(
        iterations=6,
        depth=3,
        thread_count=1,
        learning_rate=0.5 + 0.1 * seed,
        cat_features=["job", "size", "sex"][: 2 + (width > 4)],
        allow_writing_files=False,
        verbose=False,
    )
    return model.fit(*xy(seed, classes, width, text=True))


def stumps(seed, classes, width):
    if classes > 2:
        pytest.skip("a sum of stumps is for two classes")
    drawn = torch.Generator().manual_seed(seed)
    feature = torch.cat([torch.randint(width, (30,), generator=drawn), torch.tensor([width - 1])])
    cut, step = torch.rand(2, 31, generator=drawn, dtype=torch.float64)
    return Stumps(torch.tensor(0.1, dtype=torch.float64), feature, cut, step - 0.5, width=width)


def own_stumps(model, schema, x):
    score = model.base + ((x[:, model.feature] >= model.cut) * model.step).sum(dim=1)
    return torch.stack([1 - score.sigmoid(), score.sigmoid()], dim=1).numpy()


EXAMPLES = {
    "torch_module": {"torch module": Example(network, own_network, "gradient")},
    "sklearn_model": {
        "pipeline of text": Example(
            pipeline, own_sklearn, "gradient", text=True, needs=("sklearn",)
        )
    },
    "predict_proba": {"forest": Example(forest, own_sklearn, "scores", needs=("sklearn",))},
    "stumps_model": {"sum of stumps": Example(stumps, own_stumps, "scores")},
    "function": {"function": Example(Rule, own_rule, "scores")},
    "onnx_model": {
        "ONNX network": Example(
            onnx_network,
            own_onnx,
            "gradient",
            needs=("onnx", "onnxruntime", "skl2onnx", "sklearn"),
        )
    },
    "keras_model": {
        "Keras network": Example(
            keras_network, own_keras, "gradient", pickled=False, needs=("keras",)
        )
    },
    "xgboost_model": {"XGBoost": Example(boosted, own_boosted, "scores", needs=("xgboost",))},
    "lightgbm_model": {
        "LightGBM": Example(lightened, own_sklearn, "scores", needs=("lightgbm", "sklearn"))
    },
    "catboost_model": {
        "CatBoost": Example(catboosted, own_sklearn, "scores", text=True, needs=("catboost",))
    },
}
CASES = [(adapter, name) for adapter, examples in EXAMPLES.items() for name in examples]
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_every_adapter_has_an_example():
    assert set(adapter_names()) == set(EXAMPLES)


def quietly(function, *arguments):
    """Make a model; that so small a one has not converged is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


@cache
def model_of(adapter, name, seed=0, classes=K, width=6):
    example = EXAMPLES[adapter][name]
    for module in example.needs:
        if module != "keras":
            pytest.importorskip(module)
    if "keras" in example.needs:
        imported_keras()
    return quietly(example.make, seed, classes, width)


@dataclass(frozen=True)
class Case:
    adapter: str
    name: str

    @property
    def example(self):
        return EXAMPLES[self.adapter][self.name]

    @property
    def data(self):
        return data_of(self.example.text)

    @property
    def schema(self):
        return self.data.schema

    def model(self, **changes):
        return model_of(self.adapter, self.name, **changes)

    def wrapped(self, model=None, **options):
        model = self.model() if model is None else model
        if self.adapter == "torch_module":
            options = {"inputs": "unit", "output": "logits", **options}
        return rafair.wrap(model, self.schema, **options)


@pytest.fixture(params=CASES, ids=lambda param: param[1])
def case(request):
    adapter, name = request.param
    if adapter not in adapter_names():
        pytest.skip(f"there is no adapter {adapter}")
    return Case(adapter, name)


def random(schema, n=ROWS, seed=3):
    return random_people(schema, n, random_state=seed)


def test_its_adapter_and_no_other_takes_it(case):
    from rafair.models.wrapping import _adapters

    takers = [module for module in _adapters() if module.accepts(case.model())]
    assert takers[0].__name__.endswith(f".{case.adapter}")


def test_what_it_is_can_be_read(case):
    wrapped = case.wrapped()
    assert isinstance(wrapped, rafair.Classifier)
    assert wrapped.access == case.example.access
    assert isinstance(wrapped.kind, str)
    assert wrapped.kind
    assert wrapped.kind.isprintable()
    assert wrapped.reads in ("unit", "original", "frame")
    assert wrapped.dtype in (torch.float32, torch.float64)
    assert wrapped.device == torch.device("cpu")


def test_scores_have_a_row_for_each_person_and_a_column_for_each_class(case):
    wrapped = case.wrapped()
    for n in (1, 2, ROWS):
        found = forward_rows(wrapped, random(case.schema, n))
        assert found.shape == (n, K)
        assert found.dtype == wrapped.dtype
        assert torch.isfinite(found).all()


def test_it_says_what_the_library_says(case):
    x = random(case.schema, 300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.as_tensor(np.asarray(case.example.own(case.model(), case.schema, x)))
    ours = torch.softmax(forward_rows(case.wrapped(), x).double(), dim=1)
    torch.testing.assert_close(ours, theirs.double(), atol=1e-5, rtol=0)
    assert theirs.std() > 1e-3  # else anything would do


def test_the_same_rows_get_the_same_scores(case):
    x = random(case.schema)
    first, second = case.wrapped(), case.wrapped()
    assert forward_rows(first, x).equal(forward_rows(first, x))
    assert forward_rows(first, x).equal(forward_rows(second, x))


def test_a_row_does_not_depend_on_its_company(case):
    wrapped, x = case.wrapped(), random(case.schema, 80)
    together = forward_rows(wrapped, x)
    alone = torch.cat([forward_rows(wrapped, row.unsqueeze(0)) for row in x])
    assert alone.equal(together)
    backwards = forward_rows(wrapped, x.flip(0)).flip(0)
    assert backwards.equal(together)


def test_the_rows_stay_as_they_are(case):
    wrapped = case.wrapped()
    x = random(case.schema, 64).to(wrapped.dtype)
    before = x.clone()
    wrapped.scores(x)
    forward_rows(wrapped, x)
    assert x.equal(before)
    assert x.grad is None


def test_the_digest_tells_models_apart(case):
    wrapped = case.wrapped()
    assert wrapped.digest() == wrapped.digest() == case.wrapped().digest()
    assert len(wrapped.digest()) == 64
    int(wrapped.digest(), 16)
    forward_rows(wrapped, random(case.schema))
    assert wrapped.digest() == case.wrapped().digest()
    assert case.wrapped(case.model(seed=1)).digest() != wrapped.digest()


def test_it_can_be_pickled_where_its_model_can(case):
    if not case.example.pickled:
        pytest.skip("the model cannot")
    wrapped, x = case.wrapped(), random(case.schema)
    again = pickle.loads(pickle.dumps(wrapped))
    assert forward_rows(again, x).equal(forward_rows(wrapped, x))
    assert again.digest() == wrapped.digest()


def test_another_number_of_classes_is_refused(case):
    with pytest.raises(rafair.InvalidInput) as refused:
        case.wrapped(case.model(classes=3))
    assert "3" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_number_of_columns_is_refused(case):
    if case.adapter == "function":
        model = quietly(case.example.make, 0, K, 4)  # it does not tell before it is asked
    else:
        model = case.model(width=4)
    if case.adapter not in (
        *("torch_module", "function", "onnx_model", "keras_model", "stumps_model"),
    ):
        # Fitted to named columns: the first four of the data's are there, so it is a model of them.
        assert forward_rows(case.wrapped(model), random(case.schema)).shape == (ROWS, K)
        fewer = case.data.schema.names[:3]
        features = tuple(f for f in case.schema.features if f.name in (*fewer, "sex"))
        other = rafair.Schema(features, "paid", case.schema.classes)
        with pytest.raises(rafair.InvalidInput, match="column 'size'"):
            rafair.wrap(model, other)
        return
    with pytest.raises(rafair.InvalidInput) as refused:
        case.wrapped(model)
    assert "\n" not in str(refused.value)


def test_unknown_inputs_and_outputs_are_refused(case):
    for options in ({"inputs": "matrix"}, {"output": "votes"}):
        with pytest.raises(rafair.InvalidInput, match="unknown"):
            case.wrapped(**options)


def test_gradients_are_slopes(case):
    wrapped = case.wrapped()
    if wrapped.access != "gradient":
        pytest.skip("it gives none")
    x = random(case.schema, 64).to(wrapped.dtype).requires_grad_()
    loss = wrapped.scores(x)[:, 1] - wrapped.scores(x)[:, 0]
    (slopes,) = torch.autograd.grad(loss.sum(), x)
    assert torch.isfinite(slopes).all()
    assert (slopes != 0).any()
    # Columns of numbers, away from their ends; a kink within reach is rare.
    step = 1e-6 if wrapped.dtype == torch.float64 else 2e-3
    tolerance = 1e-4 if wrapped.dtype == torch.float64 else 2e-2
    inner = x.detach().clamp(0.1, 0.9)
    inner.requires_grad_()
    loss = wrapped.scores(inner)[:, 1] - wrapped.scores(inner)[:, 0]
    (slopes,) = torch.autograd.grad(loss.sum(), inner)
    for column in (0, 1):
        with torch.no_grad():
            ends = []
            for sign in (1, -1):
                moved = inner.clone()
                moved[:, column] += sign * step
                scores = wrapped.scores(moved)
                ends.append(scores[:, 1] - scores[:, 0])
        measured = (ends[0] - ends[1]) / (2 * step)
        apart = (measured - slopes[:, column]).abs()
        scale = slopes[:, column].abs().clamp_min(1.0)
        assert (apart <= tolerance * scale).double().mean() >= 0.9


def test_an_audit_runs(case):
    run = rafair.audit(case.wrapped(), case.data, n_seeds=10, steps=2, step_size=0.1, queries=60)
    assert run.metrics["n_seeds"] == 10
    without = "boxes" if has_trees(case.wrapped()) else "square"
    expected = "rafair" if case.example.access == "gradient" else without
    assert expected in run.metrics["attacks"]
    assert run.manifest["model"]["access"] == case.example.access
    assert run.instances["feasible"].all()


@pytest.mark.parametrize("rule", ["mean", "majority", "own-or-abstain"])
def test_a_guard_of_it_gives_everybody_in_the_same_place_one_answer(case, rule):
    people = rafair.Counterparts.of(case.schema)
    guard = GuardedClassifier(case.wrapped(), people, rule)
    x = random(case.schema, 64)
    everyone = people.rows(x)
    order = torch.randperm(len(everyone), generator=torch.Generator().manual_seed(0))
    scores = torch.empty(len(everyone), K + (rule == "own-or-abstain"), dtype=torch.float64)
    for some in torch.split(order, 50):  # everybody asks in another company
        scores[some] = forward_rows(guard, everyone[some])
    assert scores.view(len(x), len(people), -1).eq(scores[:: len(people)].unsqueeze(1)).all()
    assert not forward_rows(case.wrapped(), everyone).equal(scores[:, :K])
