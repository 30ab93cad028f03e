import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair.bounds.network import layered_network
from rafair.models import keras_layers
from rafair.models.adapters import keras_model
from rafair.models.agreement import random_people, unit_rows

keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip(f"Keras runs on {keras.backend.backend()}", allow_module_level=True)
layers = keras.layers
# Keras turns tensors into arrays in a way that numpy 2 is not fond of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def people(n=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "year": rng.integers(1950, 2005, n),
            "income": rng.uniform(500, 9000, n).round(2),
            "rate": rng.uniform(0, 1, n),
            "sex": rng.integers(0, 2, n),
        }
    )
    good = frame["income"] + 20 * (frame["year"] - 1950) > 5000
    return frame.assign(grade=np.where(good, "good", "bad"))


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def schema(frame):
    return rafair.Schema.infer(frame, label="grade", sensitive=["sex"])


def sequential(k=2, end="softmax", hidden="relu"):
    """A network with biases that are not zero."""
    random = keras.initializers.RandomNormal(stddev=0.6, seed=1)
    return keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(6, activation=hidden, bias_initializer=random),
            layers.Dropout(0.5),
            layers.Dense(5, activation=hidden, use_bias=False),
            layers.Dense(k, activation=end, bias_initializer=random),
        ]
    )


def functional(k=2, end="softmax"):
    entry = keras.Input((4,))
    hidden = layers.Dense(6)(entry)
    hidden = layers.ReLU()(hidden)
    return keras.Model(entry, layers.Activation(end)(layers.Dense(k)(hidden)))


def residual(k=1, end="sigmoid"):
    entry = keras.Input((4,))
    hidden = layers.Dense(4, activation="tanh")(entry)
    return keras.Model(entry, layers.Dense(k, activation=end)(layers.Add()([hidden, entry])))


class Own(keras.Model):
    """A class of the user's own; it does not tell what it reads."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(5, activation="relu")
        self.last = layers.Dense(2)

    def call(self, x):
        return self.last(self.hidden(x))


def answers(model, rows):
    """What the Keras model returns, as probabilities of two or more classes."""
    raw = torch.as_tensor(model.predict(np.asarray(rows, dtype=np.float32), verbose=0)).double()
    if raw.shape[1] == 1:
        raw = torch.cat([1 - raw, raw], dim=1)
    return raw


def probabilities(wrapped, x):
    return torch.softmax(wrapped.scores(x.to(wrapped.dtype)), dim=1).double().detach()


def close(found, expected, atol=2e-6):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def names(module):
    return [type(layer).__name__ for layer in module]


@pytest.mark.parametrize(
    ("make", "k", "end"),
    [
        (sequential, 2, "softmax"),
        (sequential, 3, "softmax"),
        (sequential, 1, "sigmoid"),
        (functional, 1, "sigmoid"),
        (functional, 3, "softmax"),
    ],
)
def test_a_plain_network_becomes_linear_layers_and_ends_in_logits(make, k, end):
    model = make(k, end)
    wrapped = rafair.wrap(model)
    assert wrapped.kind == f"Keras {type(model).__name__}, converted to torch"
    assert (wrapped.access, wrapped.output, wrapped.body_output) == (
        "gradient",
        "probabilities",
        "logits",
    )
    assert wrapped.dtype == torch.float32
    assert set(names(wrapped.body)) == {"Linear", "ReLU"}
    layered_network(wrapped)
    x = unit_rows(4, 50)
    close(probabilities(wrapped, x), answers(model, x))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_logits_are_recognised(k):
    model = sequential(k, "linear")
    wrapped = rafair.wrap(model)
    assert wrapped.output == "logits"
    x = unit_rows(4, 9)
    raw = torch.as_tensor(model.predict(x.numpy(), verbose=0))
    torch.testing.assert_close(wrapped.scores(x.float())[:, -k:], raw)


def check_gradient(wrapped, d=4):
    """Autograd against finite differences; a Keras model calculates in single precision."""
    x = unit_rows(d, 6, random_state=3).to(wrapped.dtype).requires_grad_()

    def margin(rows):
        scores = wrapped.scores(rows)
        return (scores[:, 1] - scores[:, 0]).double()

    (gradient,) = torch.autograd.grad(margin(x).sum(), x)
    with torch.no_grad():
        for column in range(d):
            step = torch.zeros(d, dtype=wrapped.dtype)
            step[column] = 2e-3
            slope = (margin(x + step) - margin(x - step)) / 4e-3
            close(gradient[:, column].double(), slope, atol=2e-2 * gradient.abs().max().item())


@pytest.mark.parametrize("make", [sequential, residual])
def test_gradients(make):
    model = make(1, "sigmoid") if make is residual else make(2, "softmax", "exponential")
    wrapped = rafair.wrap(model)
    assert wrapped.kind == f"Keras {type(model).__name__} on the torch backend"
    check_gradient(wrapped)


def test_gradients_of_a_converted_network():
    wrapped = rafair.wrap(sequential())
    double = wrapped.to(torch.device("cpu"), torch.float64)
    x = unit_rows(4, 5).requires_grad_()
    assert torch.autograd.gradcheck(double.scores, x, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("end", ["keras", "h5"])
@pytest.mark.parametrize("make", [sequential, functional, residual])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_saved_model_is_the_same_model(tmp_path, make, end):
    if end == "h5":
        pytest.importorskip("h5py")
    model = make(1, "sigmoid")
    path = tmp_path / f"model.{end}"
    model.save(path)
    loaded = keras.saving.load_model(path, compile=False)
    wrapped = rafair.wrap(loaded)
    assert wrapped.kind == rafair.wrap(model).kind
    x = unit_rows(4, 9)
    close(probabilities(wrapped, x), answers(model, x))
    again = rafair.wrap(keras.saving.load_model(path, compile=False))
    assert again.digest() == wrapped.digest()


def test_every_linear_layer_is_folded():
    rows = np.random.default_rng(0).normal(3, 2, (64, 4)).astype(np.float32)
    normal = layers.Normalization()
    normal.adapt(rows)
    batch = layers.BatchNormalization()
    model = keras.Sequential(
        [
            layers.Input((4,)),
            normal,
            layers.Rescaling(0.5, offset=0.2),
            layers.Dense(6),
            batch,
            layers.Activation("relu"),
            keras.Sequential([layers.Dense(5), layers.GaussianNoise(0.4), layers.ReLU()]),
            layers.BatchNormalization(scale=False, center=False),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    for weight, at in zip(batch.weights, (0.5, -0.3, 0.1, 2.0), strict=True):
        weight.assign(np.full(6, at))
    wrapped = rafair.wrap(model)
    assert wrapped.kind.endswith("converted to torch")
    assert names(wrapped.body) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    x = unit_rows(4, 50)
    close(probabilities(wrapped, x), answers(model, x))


UNUSUAL = {
    "relu with a slope": lambda: layers.ReLU(negative_slope=0.2),
    "bounded relu": lambda: layers.ReLU(max_value=1.0),
    "exponential": lambda: layers.Activation("exponential"),
    "softmax between": lambda: layers.Softmax(),
    "layer normalisation": lambda: layers.LayerNormalization(),
    "inverse": lambda: layers.Normalization(mean=[1.0], variance=[2.0], invert=True),
    "lambda": lambda: layers.Lambda(lambda x: x * x),
}


BENT = [
    *(layers.Activation(name) for name in ("celu", "elu", "gelu", "hard_sigmoid", "hard_silu")),
    *(layers.Activation(name) for name in ("leaky_relu", "log_sigmoid", "mish", "relu6", "selu")),
    *(layers.Activation(name) for name in ("silu", "softplus", "softsign", "tanh", "tanh_shrink")),
    layers.Activation("sigmoid"),
    layers.LeakyReLU(0.4),
    layers.ELU(0.6),
]


@pytest.mark.parametrize("end", ["sigmoid", "softmax"])
def test_activations_of_one_number_become_layers_with_certificates(end):
    for layer in BENT:
        config = type(layer).from_config(layer.get_config())
        last = layers.Dense(1 if end == "sigmoid" else 3, activation=end)
        model = keras.Sequential([layers.Input((4,)), layers.Dense(5), config, last])
        wrapped = rafair.wrap(model)
        assert wrapped.kind == "Keras Sequential, converted to torch"
        x = unit_rows(4, 20)
        close(probabilities(wrapped, x), answers(model, x))
        rows, ours = x.to(wrapped.dtype), layered_network(wrapped).scores(x.double())
        close(torch.softmax(ours, dim=1).float(), torch.softmax(wrapped.scores(rows), dim=1))


@pytest.mark.parametrize("name", UNUSUAL)
def test_other_layers_are_called_as_they_are(name):
    last = layers.Dense(2, activation="softmax")
    model = keras.Sequential(
        [layers.Input((4,)), layers.Dense(5), UNUSUAL[name](), layers.Dropout(0.5), last]
    )
    wrapped = rafair.wrap(model)
    assert wrapped.kind == "Keras Sequential on the torch backend"
    x = unit_rows(4, 20)
    close(probabilities(wrapped, x), answers(model, x))
    assert torch.equal(probabilities(wrapped, x), probabilities(wrapped, x))
    with pytest.raises(rafair.InvalidInput, match="certificates need"):
        layered_network(wrapped)


@pytest.mark.parametrize("k", [1, 3])
def test_a_layer_that_is_used_twice_is_no_chain(k):
    entry = keras.Input((4,))
    twice = layers.Dense(4, activation="relu")
    model = keras.Model(entry, layers.Dense(k)(twice(twice(entry))))
    wrapped = rafair.wrap(model)
    assert wrapped.kind == "Keras Functional on the torch backend"
    raw = torch.as_tensor(model.predict(unit_rows(4, 9).numpy(), verbose=0))
    torch.testing.assert_close(wrapped.scores(unit_rows(4, 9).float())[:, -k:].detach(), raw)


def test_parts_of_a_bigger_model_are_read_on_their_own():
    entry = keras.Input((4,))
    hidden = layers.Dense(5, activation="relu")(entry)
    inner = keras.Model(entry, layers.Dense(2)(hidden))
    keras.Model(entry, layers.Concatenate()([inner.output, hidden]))
    assert rafair.wrap(inner).kind == "Keras Functional, converted to torch"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make", [sequential, residual])
def test_a_model_s_mode_is_left_alone(schema, make, training):
    model = make(1, "sigmoid").train(training)
    modes = [layer.training for layer in model.layers]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrapped = rafair.wrap(model, schema)
    assert model.training is training
    assert [layer.training for layer in model.layers] == modes
    x = random_people(schema, 20)
    assert torch.equal(probabilities(wrapped, x), probabilities(wrapped, x))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("make", [sequential, residual])
def test_original_units(frame, schema, make):
    normal = layers.Normalization()
    normal.adapt(frame.drop(columns="grade").to_numpy(dtype=np.float32))
    inner = make(1, "sigmoid")
    entry = keras.Input((4,))
    model = keras.Model(entry, inner(normal(entry)))
    wrapped = rafair.wrap(model, schema)
    assert wrapped.reads == "original"
    x = random_people(schema, 40)
    close(probabilities(wrapped, x), answers(model, schema.decode(x)), atol=1e-5)
    assert rafair.wrap(inner, schema, inputs="unit").reads == "unit"


def test_a_network_can_be_certified(frame, schema):
    normal = layers.Normalization()
    normal.adapt(frame.drop(columns="grade").to_numpy(dtype=np.float32))
    hidden, last = layers.Dense(6, activation="relu"), layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([layers.Input((4,)), normal, hidden, last])
    wrapped = rafair.wrap(model, schema)
    x = random_people(schema, 60)
    close(probabilities(wrapped, x), answers(model, schema.decode(x)), atol=1e-5)
    certificate = rafair.certify(
        wrapped,
        schema.encode(frame.head(4)).to(wrapped.dtype),
        schema.encode_label(frame.head(4)),
        rafair.Counterparts.of(schema),
        rafair.PerturbationSpace.of(schema, 0.01),
    )
    assert (certificate.status != 0).all()


def test_text_in_the_data_means_unit_space():
    schema = rafair.load_dataset("credit").schema
    width = len(schema.features)
    model = keras.Sequential([layers.Input((width,)), layers.Dense(2, activation="softmax")])
    wrapped = rafair.wrap(model, schema)
    assert wrapped.reads == "unit"
    x = random_people(schema, 9)
    close(probabilities(wrapped, x), answers(model, x))


def test_a_class_of_the_user_s_own(schema):
    model = Own()
    with pytest.raises(rafair.InvalidInput, match="no weights yet; call it once"):
        rafair.wrap(model)
    x = unit_rows(4, 9)
    raw = model(x.float())
    with pytest.raises(rafair.InvalidInput, match="cannot tell how many columns"):
        rafair.wrap(model)
    wrapped = rafair.wrap(model, schema, inputs="unit")
    assert wrapped.kind == "Keras Own on the torch backend"
    assert wrapped.output == "logits"
    torch.testing.assert_close(wrapped.scores(x.float()), raw)
    assert wrapped.digest() == wrapped.digest()


def test_the_digest_depends_on_weights_and_layers():
    def digest(make, seed, *arguments):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        return rafair.wrap(make(*arguments)).digest()

    assert digest(residual, 0) == digest(residual, 0)
    assert digest(residual, 0) != digest(residual, 1)
    assert digest(sequential, 0, 1, "sigmoid") != digest(sequential, 1, 1, "sigmoid")
    assert digest(sequential, 0, 2, "linear", "tanh") != digest(sequential, 0, 2, "linear", "elu")


def two_inputs():
    left, right = keras.Input((2,)), keras.Input((2,))
    return keras.Model([left, right], layers.Dense(2)(layers.Concatenate()([left, right])))


def two_outputs():
    entry = keras.Input((4,))
    return keras.Model(entry, [layers.Dense(2)(entry), layers.Dense(1)(entry)])


def series():
    return keras.Sequential([layers.Input((3, 4)), layers.Flatten(), layers.Dense(2)])


def whole_numbers():
    entry = keras.Input((4,), dtype="int32")
    return keras.Model(entry, layers.Dense(2)(layers.Flatten()(layers.Embedding(9, 2)(entry))))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (two_inputs, "has 2 inputs and 1 outputs"),
        (two_outputs, "has 1 inputs and 2 outputs"),
        (series, r"reads float32 of shape \(None, 3, 4\); it must read a table"),
        (whole_numbers, "reads int32 of shape"),
        (lambda: keras.Sequential([layers.Dense(2)]), "no weights yet"),
    ],
)
def test_other_models_are_refused_in_one_line(make, text):
    with pytest.raises(rafair.InvalidInput, match=text) as caught:
        rafair.wrap(make())
    assert "\n" not in str(caught.value)


def test_a_model_that_does_not_fit_the_data_is_refused(schema):
    model = keras.Sequential([layers.Input((7,)), layers.Dense(2)])
    with pytest.raises(rafair.InvalidInput, match="reads 7 columns, a row of inputs='original'"):
        rafair.wrap(model, schema)
    with pytest.raises(rafair.InvalidInput, match="has 3 classes, the data 2"):
        rafair.wrap(sequential(3), schema)
    with pytest.raises(rafair.InvalidInput, match="reads matrices"):
        rafair.wrap(sequential(), schema, inputs="frame")
    own = Own()
    own(torch.zeros(1, 9))
    with pytest.raises(rafair.InvalidInput, match="does not accept rows of 4 columns"):
        rafair.wrap(own, schema)


def test_another_backend_is_refused(monkeypatch):
    model = sequential()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(
        rafair.InvalidInput, match="Keras runs on jax here; set KERAS_BACKEND=torch"
    ):
        rafair.wrap(model)


def test_a_conversion_that_the_model_does_not_confirm_is_refused(monkeypatch):
    wrong = dict(keras_layers.LAYERS)
    wrong["Dropout"] = lambda chain, layer: chain.scaled(chain.offset * 0 + 0.9, chain.offset * 0)
    monkeypatch.setattr(keras_layers, "LAYERS", wrong)
    with pytest.raises(rafair.InvalidInput, match="Keras model: the converted model differs"):
        rafair.wrap(sequential())


def test_a_layer_alone_is_a_torch_module():
    assert not keras_model.accepts(layers.Dense(2))
    assert not keras_model.accepts(torch.nn.Linear(2, 2))
    assert keras_model.accepts(sequential())
