"""Good model files of every format load, and give what was saved."""

import json
import os
import subprocess
import sys

import h5py
import joblib
import numpy as np
import pytest
import torch
from model_files import (
    WIDTH,
    WRITERS,
    exported,
    keras,
    keras_network,
    network,
    regression,
    rows,
    write,
)
from torch import nn

import rafair
from rafair.models import adapter_names
from rafair.models.formats import keras_file, onnx_file, skops_file
from rafair.models.formats.permission import Permission
from rafair.models.loading import load_model, model_suffixes

pytestmark = [
    # Keras on torch asks tensors for arrays in numpy's old manner.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

NOTHING = Permission()
X = torch.rand(7, WIDTH, generator=torch.Generator().manual_seed(1))


def test_heavy_libraries_are_not_imported_unless_used():
    code = (
        "import sys, rafair.models.loading as l; l.model_suffixes();"
        "heavy = {'keras', 'onnx', 'sklearn', 'skops', 'xgboost', 'lightgbm', 'h5py', 'joblib'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_suffix_is_known_once():
    expected = set(WRITERS) | {".hdf5", ".bin", ".pickle", ".sav"}
    assert set(model_suffixes()) == expected


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(rafair.InvalidInput, match=r"model\.doc.*\.keras.*\.onnx"):
        load_model(tmp_path / "model.doc")


def test_fcnn(tmp_path):
    model = load_model(write(tmp_path, ".safetensors"))
    assert model.access == "gradient"
    assert model.scores(X).shape == (7, 2)


def test_fcnn_of_other_columns_is_refused(tmp_path, credit):
    with pytest.raises(rafair.InvalidInput, match="other features"):
        load_model(write(tmp_path, ".safetensors"), credit.schema)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".PT"])
def test_a_torch_module_is_what_was_saved(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    torch.save(network().train(), path)
    model = load_model(str(path))
    assert not model.module.training
    assert torch.equal(model.scores(X), network()(X))


def test_every_plain_layer_of_torch_loads(tmp_path):
    layers = [nn.Linear(WIDTH, 8), nn.LayerNorm(8), nn.LeakyReLU(), nn.ELU(), nn.GELU(), nn.SiLU()]
    layers += [nn.Tanh(), nn.Sigmoid(), nn.Identity(), nn.Flatten(), nn.Linear(8, 3)]
    path = tmp_path / "model.pt"
    module = nn.Sequential(*layers, nn.Sequential(nn.Softplus(), nn.Softmax(dim=1)))
    torch.save(module, path)
    model = load_model(path)
    assert model.output == "probabilities"
    torch.testing.assert_close(model.scores(X).softmax(1), module(X))


def test_an_exported_program_has_gradients(tmp_path):
    path = write(tmp_path, ".pt2")
    model = load_model(path, output="logits")
    x = X.clone().requires_grad_()
    torch.testing.assert_close(model.scores(x), network()(x))
    (found,) = torch.autograd.grad(model.scores(x)[:, 1].sum(), x)
    (expected,) = torch.autograd.grad(network()(x)[:, 1].sum(), x)
    torch.testing.assert_close(found, expected)
    for n in (1, 300):
        assert model.scores(torch.rand(n, WIDTH)).shape == (n, 2)


class Own(nn.Module):
    """A network with what exporting writes in other ways: sizes, constants, a residual."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(2 * WIDTH, 3)
        self.register_buffer("shift", torch.arange(WIDTH, dtype=torch.float32))

    def forward(self, x):
        h = torch.nn.functional.gelu(self.inner(x - self.shift), approximate="tanh") + x
        both = torch.cat([h, x.clamp(0, 0.5)], dim=1).reshape(x.shape[0], -1)
        return torch.softmax(self.out(both) * torch.tensor([1.0, 2.0, 0.5]), dim=1)


@pytest.mark.parametrize("unsafe", [False, True])
def test_an_exported_module_of_ones_own_loads(tmp_path, unsafe):
    module = Own().eval()
    path = tmp_path / "own.pt2"
    torch.export.save(exported(module), path)
    model = load_model(path, output="probabilities", unsafe_pickle=unsafe)
    torch.testing.assert_close(model.scores(X).softmax(1), module(X))


def onnx_scores(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes())
    return session.run(None, {session.get_inputs()[0].name: X.numpy()})[0]


def test_onnx_is_read(tmp_path):
    path = write(tmp_path, ".onnx")
    model = onnx_file.read(path, NOTHING)
    assert model.graph.node
    if "onnx_model" in adapter_names():
        found = load_model(path).scores(X).argmax(dim=1)
        assert found.tolist() == onnx_scores(path).tolist()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_is_what_was_saved(tmp_path, suffix):
    path = write(tmp_path, suffix)
    found = keras_file.read(path, NOTHING)
    assert found.input_shape == (None, WIDTH)
    if "keras_model" in adapter_names():
        p = found(X.numpy()).detach()
        torch.testing.assert_close(load_model(path).scores(X).softmax(1), p)


def dense(name, units, activation, old, **more):
    if old:
        return {
            "name": name,
            "output_dim": units,
            "activation": activation,
            "init": "uniform",
        } | more
    return {
        "name": name,
        "trainable": True,
        "dtype": "float32",
        "units": units,
        "activation": activation,
        "use_bias": True,
        "kernel_initializer": {
            "class_name": "VarianceScaling",
            "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
        },
        "kernel_regularizer": None,
        **more,
    }


def legacy(path, version):
    """Write what Keras 1 or 2 wrote, as published files of the time look."""
    old = version.startswith("1")
    layers = [
        ("Dense", dense("dense_1", 8, "relu", old, batch_input_shape=[None, WIDTH])),
        ("Dropout", {"name": "drop", "p": 0.5} if old else {"name": "drop", "rate": 0.5}),
        ("Dense", dense("dense_2", 2, "linear", old)),
        ("Activation", {"name": "last", "activation": "softmax"}),
    ]
    if version >= "2.3":
        shape = {"batch_input_shape": [None, WIDTH], "dtype": "float32", "sparse": False}
        layers.insert(0, ("InputLayer", {"name": "dense_1_input", **shape}))
    listed = [{"class_name": kind, "config": about} for kind, about in layers]
    as_list = version < "2.2.3"
    inner = listed if as_list else {"name": "sequential_1", "layers": listed}
    rng = np.random.default_rng(0)
    weights = {
        "dense_1": (rng.normal(size=(WIDTH, 8)), rng.normal(size=8)),
        "dense_2": (rng.normal(size=(8, 2)), rng.normal(size=2)),
    }
    with h5py.File(path, "w") as file:
        config = json.dumps({"class_name": "Sequential", "config": inner})
        file.attrs["model_config"] = config.encode()
        file.attrs["keras_version"] = version.encode()
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [about["name"].encode() for _, about in layers]
        for _, about in layers:
            group = top.create_group(about["name"])
            pair = weights.get(about["name"], ())
            names = [f"{about['name']}/{part}:0" for part in ("kernel", "bias")[: len(pair)]]
            group.attrs["weight_names"] = np.array([n.encode() for n in names], dtype="S40")
            for name, array in zip(names, pair, strict=True):
                group.create_dataset(name, data=array.astype(np.float32))
    return weights


@pytest.mark.parametrize("version", ["1.2.2", "2.0.6", "2.2.4", "2.4.0"])
@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_old_keras_files_are_read(tmp_path, version, suffix):
    path = tmp_path / f"model{suffix}"
    (w1, b1), (w2, b2) = legacy(path, version).values()
    before = path.read_bytes()
    found = keras_file.read(path, NOTHING)(X.numpy()).detach().double()
    x = X.double().numpy()
    z = torch.from_numpy(np.maximum(x @ w1 + b1, 0) @ w2 + b2)
    torch.testing.assert_close(found, z.softmax(1), atol=1e-5, rtol=0)
    assert path.read_bytes() == before


def test_keras_is_imported_on_torch(tmp_path):
    path = write(tmp_path, ".keras")
    code = (
        "import sys; from pathlib import Path; from rafair.models.formats import keras_file as k;"
        "from rafair.models.formats.permission import Permission;"
        f"k.read(Path({str(path)!r}), Permission()); print(sys.modules['keras'].backend.backend())"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "torch", done.stderr


def test_keras_on_another_backend_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(rafair.InvalidInput, match="KERAS_BACKEND=torch"):
        load_model(write(tmp_path, ".keras"))


def test_an_old_keras_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, ".keras")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "3.10.0")
    with pytest.raises(rafair.InvalidInput, match=r"pip install -U 'keras>=3\.11\.3'"):
        load_model(path)


def check_regression(model):
    found = model.scores(X.to(model.dtype)).softmax(1).detach().numpy()
    np.testing.assert_allclose(found, regression().predict_proba(X.numpy()), atol=1e-5)


def test_skops(tmp_path):
    path = write(tmp_path, ".skops")
    model = load_model(path, inputs="unit")
    check_regression(model)


class Strange(type(regression())):
    """No class that skops knows."""


def test_skops_with_trusted_types(tmp_path):
    import skops.io

    path = tmp_path / "model.skops"
    skops.io.dump(Strange().fit(*rows()), path)
    name = f"{__name__}.Strange"
    with pytest.raises(rafair.InvalidInput, match=f"--trust {name}"):
        skops_file.read(path, NOTHING)
    assert isinstance(skops_file.read(path, Permission(trust=(name,))), Strange)
    for trust in (name, [name]):
        assert load_model(path, inputs="unit", trust=trust).access in ("scores", "gradient")


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".pickle", ".sav"])
def test_a_pickle_loads_when_asked_for(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    joblib.dump(regression(), path)
    with pytest.raises(rafair.InvalidInput, match=r"runs whatever code.*--unsafe-pickle"):
        load_model(path)
    model = load_model(path, inputs="unit", unsafe_pickle=True)
    check_regression(model)


@pytest.mark.parametrize("suffix", [".json", ".ubj", ".txt"])
def test_boosters(tmp_path, suffix):
    model = load_model(write(tmp_path, suffix))
    assert model.access == "scores"
    x, truth = map(torch.from_numpy, rows())
    p = model.scores(x).softmax(1)[:, 1]
    assert p[truth == 1].mean() > p[truth == 0].mean() + 0.1


@pytest.mark.parametrize(
    ("suffix", "module", "command"),
    [
        (".onnx", "onnx", "rafair[onnx]"),
        (".keras", "keras", "rafair[keras]"),
        (".skops", "skops.io", "rafair[sklearn]"),
        (".ubj", "xgboost", "rafair[xgboost]"),
        (".txt", "lightgbm", "rafair[lightgbm]"),
        (".joblib", "joblib", "rafair[sklearn]"),
    ],
)
def test_a_missing_library_is_named_with_its_command(
    tmp_path, monkeypatch, suffix, module, command
):
    path = write(tmp_path, suffix)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(rafair.InvalidInput) as caught:
        load_model(path, unsafe_pickle=True)
    assert f"pip install '{command}'" in str(caught.value)


def test_a_keras_network_of_one_number_is_read(tmp_path):
    path = tmp_path / "model.keras"
    keras_network(keras.layers.Dense(1, "sigmoid")).save(path)
    assert keras_file.read(path, NOTHING).output_shape == (None, 1)
