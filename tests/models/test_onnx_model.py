import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair.bounds.network import layered_network
from rafair.models.adapters import onnx_model
from rafair.models.agreement import random_people, unit_rows
from rafair.models.onnx_graph import converted, operators, rewriting
from rafair.models.onnx_graph.graph import read_graph

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper, F, I64 = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
CONVERTED = "ONNX graph, converted to torch"


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def model_of(
    nodes, constants=None, *, width=4, outputs=("out",), opset=21, elem_type=F, n=None, rank=2
):
    """A model of nodes between "x", shape (n, width), and outputs of any shape."""
    held = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    shape = None if rank is None else [None] * rank
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", elem_type, [n, width])],
        [helper.make_tensor_value_info(name, elem_type, shape) for name in outputs],
        held,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def node(op, inputs, outputs="out", **attributes):
    domain = "ai.onnx.ml" if op in ML else ""
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


ML = {"Scaler", "LinearClassifier", "Normalizer", "FeatureVectorizer", "Imputer", "ZipMap"}
ML |= {"ArrayFeatureExtractor", "TreeEnsembleClassifier"}


def ends(k=2, seed=0):
    """Weights of a network of 4 columns, 5 hidden units and k scores."""
    return {
        "w1": random(4, 5, seed=seed),
        "b1": random(5, seed=seed + 1),
        "w2": random(5, k, seed=seed + 2),
        "b2": random(k, seed=seed + 3),
    }


def network(k=2, end=None, seed=0, **options):
    last = "out" if end is None else "z"
    nodes = [
        node("Gemm", "x w1 b1", "h"),
        node("Relu", "h", "r"),
        node("MatMul", "r w2", "m"),
        node("Add", "m b2", last),
    ]
    if end == "two sides":
        nodes += [
            node("Sigmoid", "z", "p"),
            node("Sub", "one p", "q"),
            node("Concat", "q p", axis=1),
        ]
    elif end is not None:
        nodes.append(node(end, "z", "out"))
    return model_of(nodes, ends(k, seed) | {"one": np.float32(1)}, **options)


def run(model, rows):
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: rows})


def probabilities(wrapped, x):
    return torch.softmax(wrapped.scores(x.to(wrapped.dtype)), dim=1).double()


def close(found, expected, atol=2e-6):
    torch.testing.assert_close(
        found, torch.as_tensor(expected, dtype=torch.float64), rtol=0, atol=atol
    )


def check_gradient(wrapped, n=5, d=4):
    """Autograd against finite differences, of a copy in double precision."""
    double = wrapped.to(torch.device("cpu"), torch.float64)
    x = unit_rows(d, n, random_state=3)
    assert torch.autograd.gradcheck(double.scores, x.requires_grad_(), eps=1e-7, atol=1e-4)


# Operations of one input, with attributes.
UNARY = {
    "Abs": {},
    "Elu": {"alpha": 0.7},
    "Erf": {},
    "Exp": {},
    "Flatten": {"axis": 1},
    "Gelu": {"approximate": "tanh"},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Identity": {},
    "Imputer": {"imputed_value_floats": [0.0]},
    "LeakyRelu": {"alpha": 0.2},
    "LogSoftmax": {},
    "Neg": {},
    "Relu": {},
    "Selu": {"alpha": 1.5, "gamma": 1.1},
    "Sigmoid": {},
    "Softmax": {"axis": -1},
    "Softplus": {},
    "Softsign": {},
    "Tanh": {},
}
COLUMN, ROW = random(1, 4, seed=5), random(4, seed=6)
# Operation, nodes that use it on an input of shape (n, 4), constants.
CASES = [
    *[(op, [node(op, "x", **attributes)], {}) for op, attributes in UNARY.items()],
    ("Add", [node("Add", "x c")], {"c": COLUMN}),
    ("Sub", [node("Sub", "c x")], {"c": ROW}),
    ("Sub", [node("Sub", "x c")], {"c": COLUMN}),
    ("Mul", [node("Mul", "x c")], {"c": ROW}),
    ("Mul", [node("Mul", "x x")], {}),
    ("Div", [node("Div", "x c")], {"c": ROW + 5}),
    ("Div", [node("Exp", "x", "e"), node("Div", "c e")], {"c": ROW}),
    ("Min", [node("Min", "x c x")], {"c": ROW}),
    ("Max", [node("Max", "x c")], {"c": ROW}),
    ("Sum", [node("Sum", "x c x")], {"c": ROW}),
    ("Mean", [node("Mean", "x c x")], {"c": ROW}),
    ("PRelu", [node("PRelu", "x c")], {"c": ROW}),
    ("Pow", [node("Pow", "x c")], {"c": np.float32(3)}),
    ("Sqrt", [node("Abs", "x", "a"), node("Sqrt", "a")], {}),
    ("Log", [node("Exp", "x", "e"), node("Sum", "e c", "s"), node("Log", "s")], {"c": ROW**2}),
    ("Reciprocal", [node("Exp", "x", "e"), node("Reciprocal", "e")], {}),
    ("Clip", [node("Clip", "x low high")], {"low": np.float32(-0.3), "high": np.float32(0.4)}),
    ("Clip", [helper.make_node("Clip", ["x", "", "high"], ["out"])], {"high": np.float32(0.4)}),
    ("Gemm", [node("Gemm", "x w b", alpha=0.5, beta=2.0)], {"w": random(4, 3), "b": ROW[:1]}),
    ("Gemm", [node("Gemm", "x w", transB=1)], {"w": random(3, 4)}),
    ("MatMul", [node("MatMul", "x w")], {"w": random(4, 3)}),
    ("MatMul", [node("MatMul", "x w")], {"w": random(4)}),
    (
        "BatchNormalization",
        [node("BatchNormalization", "x s b m v", epsilon=1e-3)],
        {"s": ROW, "b": COLUMN[0], "m": ROW, "v": ROW**2},
    ),
    (
        "LayerNormalization",
        [node("LayerNormalization", "x s b", epsilon=1e-3)],
        {"s": ROW, "b": COLUMN[0]},
    ),
    ("LayerNormalization", [node("LayerNormalization", "x s", axis=1)], {"s": ROW}),
    ("Dropout", [node("Dropout", "x")], {}),
    ("Reshape", [node("Reshape", "x s")], {"s": np.array([0, -1])}),
    ("Reshape", [node("Reshape", "x s", "y"), node("ReduceSum", "y a", keepdims=0)],
     {"s": np.array([-1, 2, 2]), "a": np.array([2])}),
    ("Shape", [node("Shape", "x", "s"), node("Gather", "s i", "n"), node("Unsqueeze", "n a", "m"),
               node("Concat", "m k", "t", axis=0), node("Reshape", "x t")],
     {"i": np.array(0), "a": np.array([0]), "k": np.array([-1])}),
    ("CastInteger", [node("Shape", "x", "s"), node("Cast", "s", "t", to=I64),
                     node("Reshape", "x t")], {}),
    ("Cast", [node("Shape", "x", "s", start=1), node("Cast", "s", "t", to=F),
              node("Div", "x t")], {}),
    ("Squeeze", [node("Unsqueeze", "x a", "y"), node("Tanh", "y", "t"), node("Squeeze", "t a")],
     {"a": np.array([-1])}),
    ("Unsqueeze", [node("Unsqueeze", "x a", "y"), node("Squeeze", "y")], {"a": np.array([0, -1])}),
    ("Concat", [node("Tanh", "x", "t"), node("Concat", "t x t", axis=-1)], {}),
    ("Transpose", [node("Transpose", "x", "t"), node("Transpose", "t", perm=[1, 0])], {}),
    ("ReduceSum", [node("ReduceSum", "x a")], {"a": np.array([1])}),
    ("ReduceMean", [node("ReduceMean", "x a", keepdims=0)], {"a": np.array([-1])}),
    ("ReduceMax", [node("ReduceMax", "x a")], {"a": np.array([1])}),
    ("ReduceMin", [node("ReduceMin", "x a")], {"a": np.array([1])}),
    ("ReduceSum", [node("ReduceSum", "x", "s", noop_with_empty_axes=1), node("Neg", "s")], {}),
    ("ReduceSum", [node("ReduceSum", "x", "s"), node("Div", "x s")], {}),
    ("Slice", [node("Slice", "x s e a")],
     {"s": np.array([1]), "e": np.array([3]), "a": np.array([1])}),
    ("Slice", [node("Slice", "x s e a t")],
     {"s": np.array([-1]), "e": np.array([-9]), "a": np.array([-1]), "t": np.array([-2])}),
    ("Gather", [node("Gather", "x i", axis=1)], {"i": np.array([3, -4])}),
    ("ArrayFeatureExtractor", [node("ArrayFeatureExtractor", "x i")], {"i": np.array([3, 0])}),
    ("Scaler", [node("Scaler", "x", offset=ROW.tolist(), scale=COLUMN[0].tolist())], {}),
    ("Scaler", [node("Scaler", "x", offset=[0.5], scale=[2.0])], {}),
    ("FeatureVectorizer", [node("FeatureVectorizer", "x x", inputdimensions=[4, 4])], {}),
    *[("Normalizer", [node("Normalizer", "x", norm=norm)], {}) for norm in ("MAX", "L1", "L2")],
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_operation_is_that_of_onnxruntime(case):
    _, nodes, constants = case
    model = model_of(nodes, constants, rank=None)
    graph = rewriting.rewritten(read(model))
    module = converted.GraphModule(converted.reduced(graph, "out", torch.float32), "out")
    rows = random(7, 4, seed=9)
    found = module(torch.from_numpy(rows))
    (expected,) = run(model, rows)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-5, atol=1e-6)


def test_every_operation_has_a_test():
    named = {op for op, _, _ in CASES} | {"LinearClassifier"}
    assert named == set(operators.OPERATORS) | set(rewriting.REWRITINGS)


@pytest.mark.parametrize(
    ("opset", "nodes"),
    [
        (11, [node("Softmax", "x")]),
        (12, [node("LogSoftmax", "x", axis=0)]),
        (9, [node("Clip", "x", min=-0.1, max=0.2)]),
        (9, [node("Slice", "x", starts=[1], ends=[9], axes=[1])]),
        (11, [node("Unsqueeze", "x", "y", axes=[2]), node("Squeeze", "y", axes=[-1])]),
        (11, [node("ReduceSum", "x", axes=[1], keepdims=1)]),
        (7, [node("Dropout", "x", ratio=0.3)]),
    ],
)
def test_older_operator_sets_mean_what_they_meant(opset, nodes):
    model = model_of(nodes, opset=opset, rank=None)
    graph = rewriting.rewritten(read(model))
    module = converted.GraphModule(converted.reduced(graph, "out", torch.float32), "out")
    rows = random(7, 4)
    torch.testing.assert_close(
        module(torch.from_numpy(rows)), torch.from_numpy(run(model, rows)[0])
    )


def read(model):
    return read_graph(model, "x")


def linear_classifier(post, k, classes=None, single=False):
    rows = 1 if single else k
    weights, offsets = random(rows, 4), random(rows, seed=1)
    if post == "LOGISTIC" and k == 2 and not single:
        weights[0], offsets[0] = -weights[1], -offsets[1]
    named = {"classlabels_strings": classes} if classes else {"classlabels_ints": list(range(k))}
    return node(
        "LinearClassifier",
        "x",
        "label scores",
        coefficients=weights.reshape(-1).tolist(),
        intercepts=offsets.tolist(),
        post_transform=post,
        **named,
    )


@pytest.mark.parametrize(
    ("post", "k", "single", "chained"),
    [
        ("NONE", 3, False, True),
        ("SOFTMAX", 3, False, True),
        ("SOFTMAX", 2, False, True),
        ("LOGISTIC", 2, False, True),
        ("LOGISTIC", 2, True, True),
        ("LOGISTIC", 3, False, True),
    ],
)
def test_linear_classifiers(post, k, single, chained):
    classifier = linear_classifier(post, k, single=single)
    model = model_of([classifier], outputs=["scores"])
    several = post == "LOGISTIC" and k == 3  # they do not sum to 1
    wrapped = rafair.wrap(model, output="probabilities" if several else "auto")
    assert wrapped.kind == CONVERTED
    assert isinstance(wrapped.body, torch.nn.Sequential) == chained
    x = unit_rows(4, 20)
    (raw,) = run(model, x.numpy().astype(np.float32))
    if post == "NONE":
        raw = torch.softmax(torch.from_numpy(raw), dim=1)
    elif several:
        raw = raw / raw.sum(axis=1, keepdims=True)
    close(probabilities(wrapped, x), raw)


@pytest.mark.parametrize(
    ("k", "end"),
    [
        (1, None),
        (1, "Sigmoid"),
        (1, "two sides"),
        (2, None),
        (2, "Softmax"),
        (3, "Softmax"),
        (3, "LogSoftmax"),
    ],
)
def test_a_chain_becomes_linear_layers_and_ends_in_logits(k, end):
    model = network(k, end)
    wrapped = rafair.wrap(model)
    assert wrapped.kind == CONVERTED
    assert wrapped.access == "gradient"
    assert wrapped.dtype == torch.float32
    assert wrapped.body_output == "logits"
    assert [type(layer).__name__ for layer in wrapped.body] == ["Linear", "ReLU", "Linear"]
    assert not any(p.requires_grad for p in wrapped.body.parameters())
    x = unit_rows(4, 50)
    (raw,) = run(model, x.numpy().astype(np.float32))
    raw = torch.from_numpy(raw).double()
    if end in (None, "LogSoftmax"):
        raw = torch.softmax(raw if k > 1 else torch.cat([0 * raw, raw], dim=1), dim=1)
    elif raw.shape[1] == 1:
        raw = torch.cat([1 - raw, raw], dim=1)
    close(probabilities(wrapped, x), raw)
    check_gradient(wrapped)


@pytest.mark.parametrize("squeeze", ["Squeeze", "Reshape"])
def test_one_number_a_row_may_be_a_plain_vector(squeeze):
    constants = ends(1) | {"a": np.array([-1])}
    model = network(1)
    nodes = [*model.graph.node[:-1], node("Add", "m b2", "z"), node("Sigmoid", "z", "p")]
    nodes.append(node(squeeze, "p a"))
    model = model_of(nodes, constants, rank=1)
    wrapped = rafair.wrap(model)
    x = unit_rows(4, 6)
    (raw,) = run(model, x.numpy().astype(np.float32))
    assert raw.shape == (6,)
    close(probabilities(wrapped, x)[:, 1], raw)


def test_a_saturated_softmax_keeps_its_logits():
    constants = ends(3)
    constants["w2"] *= 400
    model = network(3, "Softmax")
    model = model_of(list(model.graph.node), constants)
    wrapped = rafair.wrap(model)
    assert wrapped.scores(unit_rows(4, 9).float()).abs().max() > 200


def test_what_is_linear_between_two_relus_becomes_one_layer():
    constants = ends() | {"v": np.abs(random(4, seed=8)) + 0.5, "s": random(4, seed=7)}
    nodes = [
        node("Scaler", "x", "a", offset=[0.2] * 4, scale=[3.0] * 4),
        node("BatchNormalization", "a s s s v", "b"),
        node("Neg", "b", "c"),
        node("Div", "c v", "d"),
        node("Mul", "d v", "e"),
        node("Sub", "s e", "f"),
        node("Cast", "f", "g", to=F),
        node("Flatten", "g", "h"),
        node("Dropout", "h", "i"),
        node("Transpose", "w1", "w1t"),
        node("Gemm", "i w1t b1", "j", transB=1),
        node("Relu", "j", "k"),
        node("Gemm", "k w2 b2"),
    ]
    wrapped = rafair.wrap(model_of(nodes, constants))
    assert [type(layer).__name__ for layer in wrapped.body] == ["Linear", "ReLU", "Linear"]


def residual(width=4, **options):
    constants = {"w1": random(4, 4), "b1": random(4), "w2": random(4, 2)}
    nodes = [
        node("Gemm", "x w1 b1", "h"),
        node("Relu", "h", "r"),
        node("Add", "r x", "s"),
        node("MatMul", "s w2", "z"),
        node("Softmax", "z"),
        node("ArgMax", "out", "label", axis=1),
    ]
    return model_of(nodes, constants, **options)


def test_a_graph_with_a_shortcut_is_converted_as_it_is():
    model = residual()
    wrapped = rafair.wrap(model)
    assert (wrapped.kind, wrapped.access) == (CONVERTED, "gradient")
    assert wrapped.body_output == "logits"
    x = unit_rows(4, 9)
    close(probabilities(wrapped, x), run(model, x.numpy().astype(np.float32))[0])
    check_gradient(wrapped)
    with pytest.raises(rafair.InvalidInput, match="certificates need"):
        layered_network(wrapped)


def test_smooth_networks_have_gradients():
    nodes = [
        node("Gemm", "x w1 b1", "h"),
        node("Selu", "h", "r"),
        node("Softplus", "r", "t"),
        node("Gemm", "t w2 b2", "z"),
        node("Sigmoid", "z"),
    ]
    check_gradient(rafair.wrap(model_of(nodes, ends(1))))


def test_a_double_graph_is_calculated_in_double():
    constants = {name: value.astype(np.float64) for name, value in ends().items()}
    model = model_of(list(network().graph.node), constants, elem_type=onnx.TensorProto.DOUBLE)
    wrapped = rafair.wrap(model)
    assert wrapped.dtype == torch.float64
    x = unit_rows(4, 9)
    torch.testing.assert_close(wrapped.scores(x), torch.from_numpy(run(model, x.numpy())[0]))


def test_an_example_s_batch_size_is_no_limit():
    wrapped = rafair.wrap(network(2, "Softmax", n=1))
    assert wrapped.scores(unit_rows(4, 9).float()).shape == (9, 2)


def test_logits_that_look_like_probabilities_near_the_data_are_told_apart():
    constants = {"w": np.array([[0.2]] * 4, dtype=np.float32)}
    wrapped = rafair.wrap(model_of([node("MatMul", "x w")], constants))
    assert wrapped.output == "logits"
    forced = rafair.wrap(model_of([node("MatMul", "x w")], constants), output="probabilities")
    assert forced.output == "probabilities"
    assert rafair.wrap(network(2, "Softmax"), output="logits").output == "logits"


def test_probabilities_without_a_known_end_are_recognised():
    nodes = [node("Exp", "x", "e"), node("ReduceSum", "e a", "s"), node("Div", "e s")]
    model = model_of(nodes, {"a": np.array([1])})
    wrapped = rafair.wrap(model)
    assert wrapped.output == "probabilities"
    x = unit_rows(4, 9)
    close(probabilities(wrapped, x), run(model, x.numpy().astype(np.float32))[0])


# --- Models of scikit-learn -----------------------------------------------------------------------


def people(n=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "year": rng.integers(1950, 2005, n),
            "income": rng.uniform(500, 9000, n).round(2),
            "rate": rng.uniform(0, 1, n),
            "sex": rng.integers(0, 2, n),
        }
    )
    odds = (frame["year"] - 1977) / 20 + (frame["income"] - 4000) / 3000 + frame["sex"]
    frame["grade"] = np.where(odds + rng.normal(0, 0.5, n) > 0, "good", "bad")
    return frame


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def schema(frame):
    return rafair.Schema.infer(frame, label="grade", sensitive=["sex"])


def sklearn_onnx(model, frame, zipmap=True, label="grade"):
    skl2onnx = pytest.importorskip("skl2onnx")
    rows = frame.drop(columns=label).to_numpy(dtype=np.float32)
    model.fit(rows, frame[label])
    return model, skl2onnx.to_onnx(model, rows[:1], options={"zipmap": zipmap}, target_opset=18)


def sklearn_model(name):
    pytest.importorskip("sklearn")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "network": make_pipeline(
            StandardScaler(), MLPClassifier((6,), solver="lbfgs", random_state=0, max_iter=60)
        ),
        "tanh": make_pipeline(
            StandardScaler(),
            MLPClassifier((6,), "tanh", solver="lbfgs", random_state=0, max_iter=60),
        ),
        "forest": RandomForestClassifier(5, random_state=0),
    }[name]


QUIET = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@QUIET
@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("positive", ["good", "bad"])
@pytest.mark.parametrize("name", ["logistic", "network", "tanh", "forest"])
def test_scikit_learn_s_models_in_original_units(frame, name, positive, zipmap):
    schema = rafair.Schema.infer(frame, label="grade", sensitive=["sex"], positive=positive)
    fitted, model = sklearn_onnx(sklearn_model(name), frame, zipmap)
    wrapped = rafair.wrap(model, schema)
    assert wrapped.access == ("scores" if name == "forest" else "gradient")
    assert wrapped.reads == "original"
    x = random_people(schema, 60)
    rows = schema.decode(x).to_numpy(dtype=np.float32)
    expected = fitted.predict_proba(rows)
    if positive == "bad":
        expected = expected[:, ::-1].copy()
    close(probabilities(wrapped, x), expected, atol=1e-5)
    assert list(schema.classes) == (["bad", "good"] if positive == "good" else ["good", "bad"])


@QUIET
def test_a_pipeline_s_network_can_be_certified(frame, schema):
    _, model = sklearn_onnx(sklearn_model("network"), frame)
    wrapped = rafair.wrap(model, schema)
    assert [type(layer).__name__ for layer in wrapped.body] == ["Linear", "ReLU", "Linear"]
    certify(wrapped, schema, frame)


def certify(wrapped, schema, frame, n=3):
    x = schema.encode(frame.head(n))
    certificate = rafair.certify(
        wrapped,
        x.to(wrapped.dtype),
        schema.encode_label(frame.head(n)),
        rafair.Counterparts.of(schema),
        rafair.PerturbationSpace.of(schema, 0.01),
    )
    assert (certificate.status != 0).all()


def test_a_forest_is_asked(frame, schema):
    _, model = sklearn_onnx(sklearn_model("forest"), frame)
    wrapped = rafair.wrap(model, schema)
    assert wrapped.kind == (
        "ONNX graph through onnxruntime (TreeEnsembleClassifier has no gradient here)"
    )
    twin = pickle.loads(pickle.dumps(wrapped))
    x = random_people(schema, 20)
    assert torch.equal(twin.scores(x), wrapped.scores(x))
    assert twin.digest() == wrapped.digest()


def test_three_classes(frame):
    frame = frame.assign(grade=np.digitize(frame["income"], [3000, 6000]))
    schema = rafair.Schema.infer(frame, label="grade", sensitive=["sex"])
    fitted, model = sklearn_onnx(sklearn_model("logistic"), frame)
    wrapped = rafair.wrap(model, schema)
    x = random_people(schema, 60)
    expected = fitted.predict_proba(schema.decode(x).to_numpy(dtype=np.float32))
    close(probabilities(wrapped, x), expected, atol=1e-5)


@pytest.fixture(scope="module")
def mixed():
    """A frame with text, and a pipeline of it with one input for each column."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common import data_types as types
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = people().assign(job=np.random.default_rng(1).choice(["a", "b", "c"], 200))
    numbers = ["year", "income", "rate", "sex"]
    columns = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(), ["job"]), sparse_threshold=0
    )
    fitted = make_pipeline(columns, LogisticRegression())
    fitted.fit(frame.drop(columns="grade"), frame["grade"])
    kinds = {
        "year": types.Int64TensorType, "income": types.FloatTensorType,
        "rate": types.FloatTensorType, "sex": types.Int64TensorType,
        "job": types.StringTensorType,
    }  # fmt: skip
    model = skl2onnx.to_onnx(
        fitted, initial_types=[(name, kind([None, 1])) for name, kind in kinds.items()],
        target_opset=18,
    )  # fmt: skip
    return frame, fitted, model


def test_one_input_for_each_column(mixed):
    frame, fitted, model = mixed
    schema = rafair.Schema.infer(frame, label="grade", sensitive=["sex"])
    wrapped = rafair.wrap(model, schema)
    assert wrapped.access == "scores"
    assert wrapped.reads == "frame"
    assert wrapped.kind == "ONNX graph through onnxruntime (named columns have no gradient here)"
    x = random_people(schema, 40)
    close(probabilities(wrapped, x), fitted.predict_proba(schema.decode(x)), atol=1e-5)
    assert pickle.loads(pickle.dumps(wrapped)).digest() == wrapped.digest()
    with pytest.raises(rafair.InvalidInput, match="reads named columns; use inputs='frame'"):
        rafair.wrap(model, schema, inputs="unit")
    with pytest.raises(rafair.InvalidInput, match="pass the data's schema"):
        rafair.wrap(model)
    less = rafair.Schema.infer(frame.drop(columns="job"), label="grade", sensitive=["sex"])
    with pytest.raises(rafair.InvalidInput, match="reads a column 'job' that the data do not have"):
        rafair.wrap(model, less)


# --- Only asked, or refused -----------------------------------------------------------------------


def test_what_cannot_be_differentiated_is_asked():
    nodes = [node("Round", "x", "r"), node("MatMul", "r w", "z"), node("Softmax", "z")]
    model = model_of(nodes, {"w": random(4, 3)})
    wrapped = rafair.wrap(model)
    assert wrapped.access == "scores"
    assert wrapped.kind == "ONNX graph through onnxruntime (Round has no gradient here)"
    x = unit_rows(4, 9)
    close(probabilities(wrapped, x), run(model, x.numpy().astype(np.float32))[0])


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Cast", "x", "i", to=I64), node("Cast", "i", to=F)], "Cast to whole numbers"),
        ([node("Imputer", "x", imputed_value_floats=[0.5], replaced_value_float=0.0)], "Imputer"),
        ([node("Split", "x", "a out", axis=1, num_outputs=2)], "Split"),
    ],
)
def test_unusual_operations_are_asked(nodes, reason):
    assert f"({reason}" in rafair.wrap(model_of(nodes)).kind


def test_control_flow_is_asked():
    def branch(op):
        return helper.make_graph(
            [helper.make_node(op, ["x"], [f"of {op}"])], op, [],
            [helper.make_tensor_value_info(f"of {op}", F, [None, 4])],
        )  # fmt: skip

    choose = helper.make_node(
        "If", ["c"], ["out"], then_branch=branch("Relu"), else_branch=branch("Tanh")
    )
    wrapped = rafair.wrap(model_of([choose], {"c": np.array(True)}))
    assert wrapped.kind == "ONNX graph through onnxruntime (If has no gradient here)"


def test_an_old_operator_set_is_asked():
    model = model_of([node("Relu", "x")], opset=6)
    assert "(operator set 6" in rafair.wrap(model).kind


def test_classes_without_scores(frame, schema):
    _, model = sklearn_onnx(sklearn_model("logistic"), frame)
    del model.graph.output[1:]
    wrapped = rafair.wrap(model, schema)
    assert wrapped.access == "labels"
    both = rafair.wrap(sklearn_onnx(sklearn_model("logistic"), frame)[1], schema)
    x = random_people(schema, 60)
    assert torch.equal(wrapped.scores(x).argmax(1), probabilities(both, x).argmax(1))
    with pytest.raises(rafair.InvalidInput, match="classes without scores; pass the data's schema"):
        rafair.wrap(model)


def test_of_several_outputs_that_with_probabilities_is_taken():
    nodes = [
        node("Tanh", "x", "hidden"),
        node("Softmax", "x", "my_probabilities"),
        node("ArgMax", "x", "label", axis=1),
    ]
    model = model_of(nodes, outputs=["hidden", "my_probabilities"])
    x = unit_rows(4, 5)
    close(probabilities(rafair.wrap(model), x), torch.softmax(x, dim=1))


def test_the_digest_is_that_of_the_weights():
    assert rafair.wrap(network()).digest() == rafair.wrap(network()).digest()
    assert rafair.wrap(network()).digest() != rafair.wrap(network(seed=1)).digest()
    assert rafair.wrap(residual()).digest() == rafair.wrap(residual()).digest()
    slopes = [
        rafair.wrap(model_of([node("LeakyRelu", "x", alpha=alpha)])).digest()
        for alpha in (0.1, 0.2)
    ]
    assert slopes[0] != slopes[1]


@pytest.mark.parametrize("model", [network(3), residual()], ids=["chain", "graph"])
def test_a_converted_graph_can_be_pickled(model):
    wrapped = rafair.wrap(model)
    twin = pickle.loads(pickle.dumps(wrapped))
    x = unit_rows(4, 9).float()
    assert torch.equal(twin.scores(x), wrapped.scores(x))
    assert twin.digest() == wrapped.digest()


def test_a_conversion_that_onnxruntime_does_not_confirm_is_refused(monkeypatch):
    monkeypatch.setitem(operators.OPERATORS, "Relu", lambda node, x: x.clamp_min(-1e-3))
    with pytest.raises(rafair.InvalidInput, match=r"differs from the original by .* on random row"):
        rafair.wrap(residual())


def test_without_onnxruntime_a_graph_is_converted_unconfirmed(monkeypatch):
    monkeypatch.setattr(onnx_model, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert rafair.wrap(residual()).access == "gradient"
    with pytest.raises(rafair.InvalidInput, match=r"onnxruntime, .* pip install 'rafair\[onnx\]'"):
        rafair.wrap(model_of([node("Round", "x")]))


def test_a_model_is_not_changed():
    model = residual(n=1)
    before = model.SerializeToString()
    rafair.wrap(model)
    assert model.SerializeToString() == before


def without(model, *, inputs=False, outputs=False):
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    if inputs:
        del copied.graph.input[:]
    if outputs:
        copied.graph.output[0].name = "nowhere"
    return copied


def external():
    model = network()
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    tensor.ClearField("raw_data")
    return model


def custom():
    model = model_of([helper.make_node("Odd", ["x"], ["out"], domain="my.own")])
    model.opset_import.append(helper.make_opsetid("my.own", 1))
    return model


def stepping():
    nodes = [node("Greater", "x c", "truth")]
    model = model_of(nodes, {"c": np.float32(0)})
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("truth", onnx.TensorProto.BOOL, [None, 4])
    )
    return model


def picture():
    model = network()
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims.add(dim_value=3)
    return model


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: without(network(), inputs=True), "finds it broken|has no input"),
        (lambda: without(network(), outputs=True), "finds it broken"),
        (external, "lie in another file; read it with onnx.load"),
        (custom, "onnxruntime cannot load this ONNX model"),
        (stepping, r"none of its outputs \(truth\) holds scores or classes"),
        (picture, "input 'x' is no table"),
        (lambda: network(width=None), "cannot tell how many columns the ONNX model reads"),
        (lambda: network(2, width=7), "the model failed|cannot load"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(make, text):
    with pytest.raises(rafair.InvalidInput, match=text) as caught:
        rafair.wrap(make())
    assert "\n" not in str(caught.value)


def test_a_graph_that_does_not_fit_the_data_is_refused(schema, frame):
    with pytest.raises(rafair.InvalidInput, match="'x' has 9 columns, a row of inputs='original'"):
        rafair.wrap(model_of([node("Relu", "x")], width=9), schema)
    with pytest.raises(rafair.InvalidInput, match="has 3 classes, the data 2"):
        rafair.wrap(network(3), schema)
    strange = model_of([linear_classifier("SOFTMAX", 2, ["no", "yes"])], outputs=["scores"])
    with pytest.raises(rafair.InvalidInput, match="decides between no, yes, the data between"):
        rafair.wrap(strange, schema)
    with pytest.raises(rafair.InvalidInput, match="this model reads matrices"):
        rafair.wrap(network(), schema, inputs="frame")


def test_text_in_the_data_means_unit_space():
    schema = rafair.load_dataset("credit").schema
    width = len(schema.features)
    nodes = [node("Gemm", "x w b")]
    model = model_of(nodes, {"w": random(width, 2), "b": random(2)}, width=width)
    wrapped = rafair.wrap(model, schema)
    assert wrapped.reads == "unit"
    x = random_people(schema, 9)
    expected = run(model, x.numpy().astype(np.float32))[0]
    close(wrapped.scores(x.float()).double(), expected, atol=1e-5)


def test_one_hot_columns_are_read_in_original_units():
    rng = np.random.default_rng(0)
    hot = np.eye(3, dtype=int)[rng.integers(0, 3, 90)]
    frame = pd.DataFrame({f"job_{name}": hot[:, i] for i, name in enumerate("abc")})
    frame = frame.assign(age=rng.integers(20, 60, 90), y=rng.integers(0, 2, 90))
    schema = rafair.Schema.infer(frame, label="y", sensitive=["job"])
    width = len(schema.columns)
    assert len(schema.features) == width - 2
    model = model_of([node("Gemm", "x w b", "z"), node("Softmax", "z")],
                     {"w": random(width, 2) / 9, "b": random(2)}, width=width)  # fmt: skip
    wrapped = rafair.wrap(model, schema)
    x = random_people(schema, 40)
    rows = schema.decode(x)[list(schema.columns)].to_numpy(dtype=np.float32)
    close(probabilities(wrapped, x), run(model, rows)[0])
    certify(wrapped, schema, frame)
