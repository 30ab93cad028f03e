"""Small model files of every format, written by the libraries that own it."""

import io
import json
import os
import pickle
import warnings
import zipfile
from functools import cache

# Keras reads this once, when it is imported.
os.environ["KERAS_BACKEND"] = "torch"

import joblib
import keras
import lightgbm
import numpy as np
import onnx
import skops.io
import torch
import xgboost
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from torch import nn

import rafair

WIDTH = 6


@cache
def rows(n=80):
    x = np.random.default_rng(0).random((n, WIDTH)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 1).astype(int)


@cache
def regression():
    return LogisticRegression().fit(*rows())


def network(k=2):
    torch.manual_seed(0)
    layers = [nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, k)]
    return nn.Sequential(*layers).eval()


def keras_network(*layers):
    layers = layers or (keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax"))
    return keras.Sequential([keras.layers.Input((WIDTH,)), *layers])


def exported(module=None, rows_=4, dynamic=True, **about):
    shapes = ({0: torch.export.Dim("rows", **about)},) if dynamic else None
    module = network() if module is None else module
    return torch.export.export(module, (torch.rand(rows_, WIDTH),), dynamic_shapes=shapes)


def _fcnn(path):
    features = tuple(rafair.Feature(f"x{i}", "numeric", (0.0, 1.0)) for i in range(WIDTH))
    schema = rafair.Schema(features, "y", (0, 1))
    module = rafair.models.fcnn(WIDTH, 2).eval()
    path.write_bytes(rafair.models.serialise_fcnn(module, schema, {}))


def _booster():
    x, y = rows()
    return xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(x, y), 3)


def _lightgbm(path):
    x, y = rows()
    options = {"objective": "binary", "verbose": -1, "num_threads": 1}
    lightgbm.train(options, lightgbm.Dataset(x, y), 3).save_model(path)


WRITERS = {
    ".safetensors": _fcnn,
    ".onnx": lambda path: onnx.save(to_onnx(regression(), rows()[0][:1]), path),
    ".keras": lambda path: keras_network().save(path),
    ".h5": lambda path: keras_network().save(path),
    ".pt": lambda path: torch.save(network(), path),
    ".pth": lambda path: torch.save(network(), path, _use_new_zipfile_serialization=False),
    ".pt2": lambda path: torch.export.save(exported(), path),
    ".skops": lambda path: skops.io.dump(regression(), path),
    ".json": lambda path: _booster().save_model(path),
    ".ubj": lambda path: _booster().save_model(path),
    ".txt": _lightgbm,
    ".pkl": lambda path: path.write_bytes(pickle.dumps(regression())),
    ".joblib": lambda path: joblib.dump(regression(), path),
}


def write(folder, suffix, name="model"):
    """Write a good model file and return its path."""
    path = folder / f"{name}{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        WRITERS[suffix](path)
    return path


class Touch:
    """When it is unpickled it creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def changed(data, changes, drop=()):
    """Return an archive with members replaced, by the last part of their names, or added."""
    out = io.BytesIO()
    left = dict(changes)
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            inner = name.partition("/")[2] or name
            change = left.pop(inner, None)
            content = old.read(name)
            if change is not None:
                content = change(content) if callable(change) else change
            if inner not in drop:
                new.writestr(name, content)
        for name, content in left.items():
            new.writestr(name if name.startswith("/") else f"{root}/{name}", content)
    return out.getvalue()


def edited(change):
    """Return a function that changes JSON in place."""

    def edit(data):
        about = json.loads(data)
        change(about)
        return json.dumps(about).encode()

    return edit
