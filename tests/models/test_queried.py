"""Models that only answer: shapes and kinds of answers, the order of classes, failures."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import rafair
from rafair.models.agreement import random_people
from rafair.models.class_order import class_order
from rafair.models.queried import answer_of
from rafair.schema import Feature, Schema

FEATURES = (
    Feature("a", "integer", (0, 9)),
    Feature("b", "numeric", (0.0, 2.0)),
    Feature("sex", "categorical", ("f", "m"), sensitive=True),
)
X = torch.tensor([[0.0, 0.1, 0.0], [0.5, 0.6, 1.0], [1.0, 0.9, 0.0]], dtype=torch.float64)


def schema_of(classes=(0, 1), features=FEATURES):
    return Schema(features, "y", classes)


def share(m):
    """The probability of the last class; m is a matrix in unit space."""
    return 0.2 + 0.6 * m[:, 0]


def logit(m):
    return np.log(share(m)) - np.log(1 - share(m))


def decided(m, classes):
    return np.asarray(classes)[(m[:, 0] > 0.45).astype(int)]


BINARY = {
    "(n, 2) probabilities": lambda m: np.stack([1 - share(m), share(m)], 1),
    "(n, 1) probabilities": lambda m: share(m)[:, None],
    "(n,) probabilities": share,
    "(n, 2) logits": lambda m: np.stack([0 * logit(m), logit(m)], 1),
    "(n, 1) logits": lambda m: logit(m)[:, None],
    "(n,) logits": logit,
    "lists": lambda m: np.stack([1 - share(m), share(m)], 1).tolist(),
    "frame": lambda m: pd.DataFrame(np.stack([1 - share(m), share(m)], 1)),
    "series": lambda m: pd.Series(share(m), index=range(5, 5 + len(m))),
    "tensor": lambda m: torch.from_numpy(share(m)),
    "float32": lambda m: np.stack([1 - share(m), share(m)], 1).astype(np.float32),
}


@pytest.mark.parametrize("name", BINARY)
def test_scores_of_every_shape_are_the_same_probabilities(name):
    model = rafair.wrap(BINARY[name], schema_of(), inputs="unit")
    assert model.access == "scores"
    assert isinstance(model, rafair.Classifier)
    found = model.scores(X).softmax(dim=1)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found[:, 1], share(X.numpy()), rtol=0, atol=1e-6)


def test_three_classes_keep_their_order():
    def answer(m):
        z = np.stack([m[:, 0], m[:, 1], 1 - m[:, 0]], 1)
        return z / z.sum(1, keepdims=True)

    model = rafair.wrap(answer, schema_of(("x", "y", "z")), inputs="unit")
    np.testing.assert_allclose(model.scores(X).softmax(1), answer(X.numpy()), atol=1e-12)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ((0, 1), (0, 1)),
        ((1, 0), (1, 0)),
        (("no", "yes"), ("no", "yes")),
        (("no", "yes"), (0, 1)),
        ((1, 2), (1, 2)),
        ((1, 2), (0, 1)),
        ((False, True), (False, True)),
        (("0", "1"), (0, 1)),
        (("1", "0"), (1, 0)),
    ],
)
def test_labels_are_the_datas_classes_or_their_places(classes, said):
    model = rafair.wrap(lambda m: decided(m, said), schema_of(classes), inputs="unit")
    assert model.access == "labels"
    assert model.scores(X).tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("classes", [(1, 2), (-1, 1), (0, 1), (3, 7)])
def test_labels_that_are_floats_are_never_misread(classes):
    said = tuple(map(float, classes))
    try:
        model = rafair.wrap(lambda m: decided(m, said), schema_of(classes), inputs="unit")
    except rafair.InvalidInput:
        return
    assert model.scores(X).argmax(dim=1).tolist() == [0, 1, 1]


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(rafair.InvalidInput, match=r"'maybe'.* is not one of"):
        rafair.wrap(lambda m: decided(m, ("no", "maybe")), schema_of(("no", "yes")), inputs="unit")


@pytest.mark.parametrize(
    "answer",
    [
        lambda m: np.zeros((len(m), 3)),
        lambda m: np.zeros((len(m), 2, 1)),
        lambda m: np.zeros((len(m) - 1, 2)),
        lambda m: np.zeros((len(m), 0)),
        lambda m: 0.5,
        lambda m: None,
        lambda m: ["a"] * len(m),
        lambda m: {"p": 1},
        lambda m: [object()] * len(m),
        lambda m: [[0.1], [0.2, 0.3]] * (len(m) // 2),
    ],
)
def test_what_is_no_answer_is_refused_with_one_line(answer):
    with pytest.raises(rafair.InvalidInput) as caught:
        rafair.wrap(answer, schema_of(), inputs="unit")
    assert "\n" not in str(caught.value)


def changing(first, later):
    """A model that answers otherwise than it did when it was wrapped."""
    return lambda m: (first if len(m) == 256 else later)(m)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (share, lambda m: share(m)[:1]),
        (share, lambda m: np.append(share(m), 0.5)),
        (lambda m: decided(m, (0, 1)), lambda m: decided(m, (0, 1))[:1]),
        (lambda m: decided(m, (0, 1)), lambda m: np.append(decided(m, (0, 1)), 1)),
        (lambda m: decided(m, (0, 1)), lambda m: decided(m, (0, 2))),
    ],
)
def test_an_answer_for_other_than_n_rows_is_refused(first, later):
    model = rafair.wrap(changing(first, later), schema_of(), inputs="unit")
    with pytest.raises(rafair.InvalidInput):
        model.scores(X)


def test_a_failing_model_is_named_with_its_reason_in_one_line():
    def broken(m):
        raise RuntimeError("first line\nsecond line")

    with pytest.raises(rafair.InvalidInput, match=r"failed on 256 rows: RuntimeError: first line$"):
        rafair.wrap(broken, schema_of())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_refused_when_people_are_judged(value):
    answer = changing(share, lambda m: np.full(len(m), value))
    model = rafair.wrap(answer, schema_of(), inputs="unit")
    counterparts = rafair.Counterparts.of(schema_of())
    with pytest.raises(rafair.InvalidInput, match="NaN or infinity"):
        rafair.judge(model, X, torch.zeros(3, dtype=torch.int64), counterparts)


def test_probabilities_of_0_and_1_give_finite_scores():
    model = rafair.wrap(lambda m: (m[:, 0] > 0.45).astype(float), schema_of(), inputs="unit")
    assert torch.isfinite(model.scores(X)).all()
    assert model.scores(X).argmax(dim=1).tolist() == [0, 1, 1]


def test_output_can_be_said():
    model = rafair.wrap(share, schema_of(), inputs="unit", output="logits")
    assert model.scores(X)[:, 1].tolist() == share(X.numpy()).tolist()


def test_a_model_that_writes_to_its_rows_does_not_change_the_data():
    def careless(m):
        m *= 0
        return np.full(len(m), 0.3)

    model = rafair.wrap(careless, schema_of(), inputs="unit")
    x = torch.rand(64, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    counterparts = rafair.Counterparts.of(schema_of())
    rafair.judge(model, x, torch.zeros(64, dtype=torch.int64), counterparts)
    assert torch.equal(x, before)


def test_two_that_answer_alike_have_one_digest_and_others_another():
    def wrapped(function):
        return rafair.wrap(function, schema_of(), inputs="unit").digest()

    def almost(m):
        return share(m) + 1e-9

    def other(m):
        return share(m) * 0.99

    almost.__name__ = other.__name__ = "share"
    assert wrapped(share) == wrapped(almost)
    assert wrapped(share) != wrapped(other)


def test_a_wrapped_function_can_be_pickled():
    model = rafair.wrap(share, schema_of(), inputs="unit")
    digest = model.digest()
    twin = pickle.loads(pickle.dumps(model))
    assert torch.equal(twin.scores(X), model.scores(X))
    assert twin.digest() == digest


@pytest.mark.parametrize(
    ("raw", "k", "kind"),
    [
        (np.array([0, 1, 1, 0]), 2, "labels"),
        (np.array(["a", "b", "a", "a"]), 2, "labels"),
        (np.array([True, False, True, True]), 2, "labels"),
        (np.array([0.1, 0.9, 0.3, 0.3]), 2, "probabilities"),
        (np.array([0.1, 1.9, 0.3, 0.3]), 2, "logits"),
        (np.full((4, 3), 1 / 3), 3, "probabilities"),
        (np.full((4, 3), 0.2), 3, "logits"),
        (np.array([[0.5, 0.5001]] * 4), 2, "probabilities"),
        (np.array([5, 1, 7, 2]), 2, "logits"),
    ],
)
def test_an_answer_is_known_by_its_range(raw, k, kind):
    assert answer_of(raw, 4, k) == kind


@pytest.mark.parametrize(
    ("found", "classes", "order"),
    [
        ([0, 1], (0, 1), (0, 1)),
        ([0, 1], (1, 0), (1, 0)),
        (["no", "yes"], ("yes", "no"), (1, 0)),
        (np.array(["a", "b", "c"]), ("c", "a", "b"), (2, 0, 1)),
        (np.array([1, 2]), (2, 1), (1, 0)),
        ([0.0, 1.0], (1, 0), (1, 0)),
        ([False, True], (1, 0), (1, 0)),
        (["0", "1"], (1, 0), (1, 0)),
        ([0, 1, 2], ("a", "b", "c"), (0, 1, 2)),
        (np.array([0, 1]), (1, 2), (0, 1)),
        ([7, 9], None, (0, 1)),
    ],
)
def test_the_order_of_classes(found, classes, order):
    assert class_order(found, None if classes is None else schema_of(classes)) == order


@pytest.mark.parametrize(
    ("found", "classes", "message"),
    [
        ([0, 1, 2], (0, 1), "the model has 3 classes, the data 2"),
        (["a", "b"], ("a", "c"), "between a, b, the data between a, c"),
        ([1, 2], ("no", "yes"), "between 1, 2"),
        ([1, 0], ("no", "yes"), "between 1, 0"),
    ],
)
def test_other_classes_are_refused(found, classes, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        class_order(found, schema_of(classes))


RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RNG.integers(0, 10, 200), "b": RNG.random(200) * 2})
TABLE["sex"] = np.where(RNG.random(200) < 0.5, "f", "m")
LABEL = np.where(TABLE["a"] + TABLE["b"] * 2 + (TABLE["sex"] == "m") > 7, "yes", "no")
NUMBERS = (*FEATURES[:2], Feature("sex", "categorical", (0, 1), sensitive=True))
MODELS = {
    "forest": lambda: RandomForestClassifier(7, random_state=0, max_features=None),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "neighbours": lambda: KNeighborsClassifier(3),
    "kernel": lambda: SVC(),
    "linear": lambda: LinearSVC(random_state=0),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("named", [True, False], ids=["frame", "matrix"])
@pytest.mark.parametrize("classes", [("no", "yes"), ("yes", "no")])
def test_a_fitted_model_decides_as_it_does_itself(name, named, classes):
    schema = schema_of(classes, NUMBERS)
    table = TABLE.assign(sex=(TABLE["sex"] == "m").astype(int))
    columns = ["sex", "b", "a"] if named else ["a", "b", "sex"]
    rows = table[columns] if named else table[columns].to_numpy()
    model = MODELS[name]().fit(rows, LABEL)
    wrapped = rafair.wrap(model, schema)
    x = random_people(schema, 100)
    people = schema.decode(x)[columns]
    expected = model.predict(people if named else people.to_numpy())
    found = np.array(classes)[wrapped.scores(x).argmax(dim=1)]
    assert found.tolist() == expected.tolist()
    twin = pickle.loads(pickle.dumps(wrapped))
    assert torch.equal(twin.scores(x), wrapped.scores(x))


def test_text_columns_are_read_as_categories_where_a_model_needs_them():
    table = TABLE.assign(sex=TABLE["sex"].astype("category"))
    model = HistGradientBoostingClassifier(
        max_iter=5, random_state=0, categorical_features="from_dtype"
    ).fit(table, LABEL)
    schema = schema_of(("no", "yes"))
    wrapped = rafair.wrap(model, schema)
    x = random_people(schema, 60)
    people = schema.decode(x).astype({"sex": table["sex"].dtype})
    assert wrapped.scores(x).argmax(dim=1).tolist() == (model.predict(people) == "yes").tolist()


class Voter:
    """No library's model: it has classes and decides, no more."""

    classes_ = ("yes", "no")

    def predict(self, rows):
        return np.where(rows[:, 0] > 0.45, "yes", "no")


def test_a_model_of_ones_own_that_only_decides():
    model = rafair.wrap(Voter(), schema_of(("no", "yes")))
    assert (model.access, model.answer) == ("labels", "labels")
    assert model.scores(X).tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]


def test_a_callable_reads_a_frame_unless_told_otherwise():
    seen = []

    def look(rows):
        seen.append(rows)
        return np.full(len(rows), 0.5)

    rafair.wrap(look, schema_of())
    assert list(seen[0].columns) == ["a", "b", "sex"]
    rafair.wrap(look, schema_of(), inputs="original")
    assert seen[-1][:, 0].max() == 9
    rafair.wrap(look, schema_of(), inputs="unit")
    assert seen[-1].max() <= 1


@pytest.mark.parametrize(
    ("model", "schema", "message"),
    [
        (share, None, "pass the schema"),
        (Voter(), None, "cannot tell how many columns"),
        (Voter, schema_of(("no", "yes")), "the model failed"),
        (3, schema_of(), "cannot wrap a int"),
        (RandomForestClassifier(), schema_of(), "fit"),
    ],
)
def test_what_cannot_be_asked_is_refused(model, schema, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        rafair.wrap(model, schema)


def test_a_model_with_several_outputs_is_refused():
    table = TABLE[["a", "b"]].to_numpy()
    model = MultiOutputClassifier(DecisionTreeClassifier()).fit(table, (table > 1).astype(int))
    with pytest.raises(rafair.InvalidInput):
        rafair.wrap(model, schema_of(features=NUMBERS))


def test_a_model_of_another_width_is_refused():
    model = RandomForestClassifier(2, random_state=0).fit(TABLE[["a", "b"]].to_numpy(), LABEL)
    with pytest.raises(rafair.InvalidInput, match="the model failed on"):
        rafair.wrap(model, schema_of(("no", "yes"), NUMBERS))
    named = RandomForestClassifier(2, random_state=0).fit(TABLE[["a", "b"]], LABEL)
    wrapped = rafair.wrap(named, schema_of(("no", "yes")))  # it reads two of three columns
    assert wrapped.scores(X).shape == (3, 2)
