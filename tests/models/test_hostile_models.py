"""Model files that are broken or meant to harm: each is refused in one line, and nothing runs."""

import contextlib
import io
import json
import os
import pickle
import struct
import warnings
import zipfile

import h5py
import joblib
import numpy as np
import onnx
import pytest
import skops.io
import torch
from model_files import (
    WIDTH,
    Touch,
    changed,
    edited,
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
from rafair.models.loading import load_model, model_suffixes

pytestmark = [
    # Keras on torch asks tensors for arrays in numpy's old manner.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SUFFIXES = model_suffixes()
PICKLES = (".pkl", ".pickle", ".joblib", ".sav")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a good file of each format, by suffix."""
    folder, kept = tmp_path_factory.mktemp("good"), {}

    def read(suffix):
        if suffix not in kept:
            kept[suffix] = write(folder, suffix).read_bytes()
        return kept[suffix]

    return read


def refused(path, reason="", **options):
    with pytest.raises(rafair.InvalidInput) as caught:
        load_model(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    assert reason in text
    assert len(text) < 700 + len(str(path))
    return text


def as_file(tmp_path, data, suffix, name="hostile"):
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(data)
    return path


# Broken files.


@pytest.mark.parametrize(
    "suffix",
    [".safetensors", ".onnx", ".keras", ".h5", ".pt", ".pt2", ".skops", ".json", ".ubj", ".txt"],
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_truncated_file_is_refused(tmp_path, good, suffix, share):
    data = good(suffix)
    refused(as_file(tmp_path, data[: int(len(data) * share)], suffix))


@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".joblib"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_truncated_pickle_is_refused_though_allowed(tmp_path, good, suffix, share):
    data = good(suffix)
    refused(as_file(tmp_path, data[: int(len(data) * share)], suffix), unsafe_pickle=True)


def test_a_module_in_torchs_oldest_format_is_refused(tmp_path, good):
    refused(as_file(tmp_path, good(".pth"), ".pth"), "before 1.6")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [b"no model at all, but some words\n", bytes(range(256)) * 8, b"PK\x03\x04" + b"\0" * 60],
    ids=["text", "bytes", "zip head"],
)
def test_other_content_is_refused(tmp_path, suffix, content):
    refused(as_file(tmp_path, content, suffix), unsafe_pickle=suffix in PICKLES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_refused(tmp_path, suffix):
    refused(as_file(tmp_path, b"", suffix), "empty")


@pytest.mark.parametrize("suffix", [".onnx", ".keras", ".h5", ".pt2", ".skops", ".ubj", ".txt"])
@pytest.mark.parametrize("other", [".pkl", ".json", ".pt"])
def test_a_file_of_another_format_is_refused(tmp_path, good, suffix, other):
    refused(as_file(tmp_path, good(other), suffix))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "1",
        "null",
        '{"learner": 3}',
        '{"learner": {}}',
        "[" * 100_000,
        '{"a": 1}',
        "NaN",
    ],
)
def test_json_that_is_no_model_is_refused(tmp_path, text):
    refused(as_file(tmp_path, text.encode(), ".json"))


# Paths.


def test_a_directory_is_refused(tmp_path):
    path = tmp_path / "folder.onnx"
    path.mkdir()
    refused(path, "a directory")


def test_a_fifo_is_refused_without_waiting_for_it(tmp_path):
    path = tmp_path / "pipe.pt"
    os.mkfifo(path)
    refused(path, "no regular file")


def test_a_loop_of_links_is_refused(tmp_path):
    path = tmp_path / "loop.keras"
    path.symlink_to(path)
    refused(path, "cannot be opened")


@pytest.mark.parametrize("suffix", [".onnx", ".pkl", ".safetensors"])
def test_a_missing_file_is_refused(tmp_path, suffix):
    refused(tmp_path / f"nowhere{suffix}", "no such model file")


def test_odd_names_are_refused_in_one_line(tmp_path):
    for name in ("a\0b.onnx", "a\nb.onnx"):
        with pytest.raises(rafair.InvalidInput) as caught:
            load_model(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(rafair.InvalidInput, match="a directory"):
        load_model("")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, good, monkeypatch):
    path = as_file(tmp_path, good(".onnx"), ".onnx")

    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", closed)
    refused(path, "Permission denied")


def test_a_file_of_many_gigabytes_is_refused(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    refused(path, "2 GiB")


# Pickles that act.


def pickled(touch):
    return pickle.dumps(touch)


def torch_saved(touch, **options):
    out = io.BytesIO()
    torch.save({"model": touch}, out, **options)
    return out.getvalue()


def joblib_dumped(touch):
    out = io.BytesIO()
    joblib.dump(touch, out)
    return out.getvalue()


def zipped(touch):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("schema.json", "{}")
        archive.writestr("model/data.pkl", pickle.dumps(touch))
        archive.writestr("model.pkl", pickle.dumps(touch))
    return out.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", [pickled, torch_saved, joblib_dumped, zipped])
def test_a_pickle_is_not_run_under_any_suffix(tmp_path, suffix, make):
    touched = tmp_path / "touched"
    refused(as_file(tmp_path, make(Touch(touched)), suffix))
    assert not touched.exists()


def test_the_trap_works_where_pickles_are_allowed(tmp_path):
    touched = tmp_path / "touched"
    path = as_file(tmp_path, pickle.dumps(Touch(touched)), ".pkl")
    # The open file that it leaves would be a warning.
    with warnings.catch_warnings(), contextlib.suppress(rafair.InvalidInput):
        warnings.simplefilter("ignore")
        load_model(path, unsafe_pickle=True)
    assert touched.exists()


# torch.


class Foreign(nn.Module):
    """No layer of torch."""


def with_hook():
    module = network()
    module[0].register_forward_pre_hook(nn.ReLU)
    return module


def with_method():
    module = network()
    module[0].forward = nn.ReLU
    return module


def with_extra():
    module = network()
    module[0].__dict__["register_buffer"] = 3
    return module


def without_mean():
    module = network()
    del module[1]._buffers["running_mean"]
    return module


TORCH = {
    "part missing": (without_mean, "running_mean"),
    "state dict": (lambda: network().state_dict(), "weights but not the network"),
    "nested state dict": (lambda: {"model": network().state_dict(), "epoch": 3}, "not the network"),
    "tensor": (lambda: torch.ones(3), "holds a Tensor"),
    "list": (lambda: [network()], "holds a list"),
    "own class": (Foreign, "Foreign"),
    "hook": (with_hook, "hook"),
    "method": (with_method, "forward was replaced"),
    "attribute": (with_extra, "register_buffer was replaced"),
    "function": (lambda: nn.Sequential(nn.Linear(WIDTH, 2)).requires_grad_, "getattr"),
    "no layers": (nn.Sequential, "cannot tell logits"),
}


@pytest.mark.parametrize("case", TORCH)
def test_what_torch_saves_beyond_plain_networks_is_refused(tmp_path, case):
    make, reason = TORCH[case]
    path = tmp_path / "model.pt"
    torch.save(make(), path)
    refused(path, reason)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pt2"])
def test_torchscript_is_refused(tmp_path, suffix):
    path = tmp_path / f"script{suffix}"
    torch.jit.trace(network(), torch.rand(3, WIDTH)).save(path)
    refused(path, "TorchScript" if suffix != ".pt2" else "torch.export.save")


# Exported programs.

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


def program(change):
    return {MODEL: edited(change)}


def weights(change):
    return {WEIGHTS: edited(change)}


def node(about):
    return about["graph_module"]["graph"]["nodes"][0]


def spec(text):
    def change(about):
        about["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = text

    return change


def sized(text):
    def change(about):
        found = json.dumps(about).split('"expr_str": "')[1].split('"')[0]
        new = json.loads(json.dumps(about).replace(found, text))
        about.clear()
        about.update(new)

    return change


ENUM = '{"__enum__": true, "fqn": "os:path", "name": "x"}'
FACTORY = json.dumps([1, {"type": "collections.defaultdict", "context": "{}", "children_spec": []}])
COUNTED = json.dumps([1, {"type": "builtins.dict", "context": ENUM, "children_spec": []}])
HOSTILE_PROGRAMS = {
    "operator": program(lambda a: node(a).update(target="torch.os.system")),
    "load": program(lambda a: node(a).update(target="torch.hub.load")),
    "file": program(lambda a: node(a).update(target="torch.ops.aten.from_file.default")),
    "own operator": program(lambda a: node(a).update(target="torch.ops.mine.run.default")),
    "caller": program(lambda a: node(a).update(target="_operator.methodcaller")),
    "extension": program(lambda a: node(a).update(target="#mine:run")),
    "name": program(lambda a: node(a).update(name="x = __import__('os')")),
    "graph": program(lambda a: node(a)["inputs"][0].update(arg={"as_graph": {"name": "g"}})),
    "argument": program(
        lambda a: node(a)["inputs"][0].update(arg={"as_operator": "torch.os.system"})
    ),
    "size": program(sized("__import__('os').getpid()")),
    "power": program(sized("9**9**9")),
    "text size": program(sized("Integer('9')")),
    "factory": program(spec(FACTORY)),
    "enum": program(spec(COUNTED)),
    "pickled weight": weights(lambda a: a["config"]["0.weight"].update(use_pickle=True)),
    "weight elsewhere": weights(lambda a: a["config"]["0.weight"].update(path_name="../x")),
    "object": {
        CONSTANTS: edited(
            lambda a: a["config"].update(
                c={
                    "path_name": "opaque_obj_0",
                    "is_param": False,
                    "use_pickle": True,
                    "tensor_meta": None,
                }
            )
        ),
        "data/constants/opaque_obj_0": b"x",
    },
    "old weights": {"data/weights/model.pt": b"x"},
    "library": {"data/aotinductor/model/a.so": b"\x7fELF"},
    "second model": {"models/other.json": b"{}"},
}


@pytest.mark.parametrize("case", HOSTILE_PROGRAMS)
def test_a_program_that_could_run_code_is_refused(tmp_path, good, case):
    data = changed(good(".pt2"), HOSTILE_PROGRAMS[case])
    refused(as_file(tmp_path, data, ".pt2"), "could run code")


def test_the_pickles_of_a_program_are_left_alone(tmp_path, good):
    touched = tmp_path / "touched"
    acting = torch_saved(Touch(touched))
    guards = edited(lambda a: a.update(guards_code=[f"open({str(touched)!r}, 'w')"]))
    data = changed(good(".pt2"), {"data/sample_inputs/model.pt": acting, MODEL: guards})
    path = as_file(tmp_path, data, ".pt2")
    assert load_model(path, output="logits").scores(torch.rand(3, WIDTH)).shape == (3, 2)
    assert not touched.exists()


BROKEN_PROGRAMS = {
    "no model": ({}, [MODEL]),
    "no weights": ({}, ["data/weights/weight_0"]),
    "no table of weights": ({}, [WEIGHTS]),
    "no version": ({}, ["archive_version"]),
    "no json": ({MODEL: b"{"}, []),
    "other json": ({MODEL: b"[1]"}, []),
    "empty weight": ({"data/weights/weight_0": b""}, []),
    "short weight": ({"data/weights/weight_0": b"1234"}, []),
    "odd weight": ({"data/weights/weight_0": b"12345"}, []),
}


@pytest.mark.parametrize("case", BROKEN_PROGRAMS)
def test_a_broken_program_is_refused(tmp_path, good, case):
    data = changed(good(".pt2"), *BROKEN_PROGRAMS[case])
    refused(as_file(tmp_path, data, ".pt2"))


class Two(nn.Module):
    def forward(self, x, y):
        return x + y


def two():
    return torch.export.export(Two(), (torch.rand(3, WIDTH), torch.rand(3, WIDTH)))


UNFIT = {
    "fixed": (lambda: exported(dynamic=False), "exported for 4 rows"),
    "bounded": (lambda: exported(max=100), "at most 100 rows"),
    "two inputs": (two, "takes 2 inputs"),
    "vector": (lambda: torch.export.export(nn.ReLU(), (torch.rand(3),)), "matrix"),
    "training": (lambda: exported(network().train()), "training mode"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_program_that_does_not_fit_says_why(tmp_path, case):
    make, reason = UNFIT[case]
    path = tmp_path / "model.pt2"
    torch.export.save(make(), path)
    refused(path, reason)


# Archives.


def bomb(tmp_path, suffix):
    path = tmp_path / f"bomb{suffix}"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("model/config.json", "w") as member,
    ):
        for _ in range(110):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    return path


def test_a_zip_bomb_is_refused(tmp_path):
    path = bomb(tmp_path, ".keras")
    for suffix in (".keras", ".skops", ".pt2", ".pt"):
        path = path.rename(path.with_suffix(suffix))
        refused(path, "unpacks to")


@pytest.mark.parametrize("suffix", [".keras", ".skops", ".pt2", ".pt"])
def test_an_archive_of_terabytes_is_refused(tmp_path, suffix):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place in range(3):
            archive.writestr(f"model/{place}", b"x" * 1000)
        for member in archive.infolist():
            member.file_size = 2**31 - 1
            member.compress_size = 2**31 - 1
    refused(as_file(tmp_path, out.getvalue(), suffix), "4 GiB")


def test_an_archive_of_a_myriad_members_is_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for place in range(10_001):
            archive.writestr(str(place), b"")
    refused(as_file(tmp_path, out.getvalue(), ".skops"), "members")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "model/../../x", "C:/x", "..\\x"])
@pytest.mark.parametrize("suffix", [".keras", ".skops", ".pt2", ".pt"])
def test_names_outside_an_archive_are_refused(tmp_path, name, suffix):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"x")
    refused(as_file(tmp_path, out.getvalue(), suffix), "outside it")


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("config.json", b"{}")
        archive.writestr("config.json", b"[]")
    refused(as_file(tmp_path, out.getvalue(), ".keras"), "occurs twice")


# Keras.


def layer_of(about):
    return about["config"]["layers"][1]


def lambda_layer():
    return keras_network(keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(2))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_are_refused(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lambda_layer().save(path)
    refused(path, "'Lambda' layer, which could run code")


KERAS = {
    "module": (lambda a: layer_of(a).update(module="os", class_name="system"), "Keras's own"),
    "registered": (lambda a: layer_of(a).update(registered_name="mine>Own"), "Keras's own"),
    "torch": (lambda a: layer_of(a).update(class_name="TorchModuleWrapper"), "could run code"),
    "saved model": (lambda a: layer_of(a).update(class_name="TFSMLayer"), "could run code"),
    "lookup": (lambda a: layer_of(a).update(class_name="StringLookup"), "could run code"),
    "words": (lambda a: layer_of(a)["config"].update(vocabulary="/etc/passwd"), "file of words"),
    "function": (
        lambda a: layer_of(a)["config"].update(
            activation={"class_name": "__lambda__", "config": {"value": "x"}}
        ),
        "could run code",
    ),
    "huge": (lambda a: layer_of(a)["config"].update(units=10**9), "units"),
    "negative": (lambda a: layer_of(a)["config"].update(units=-1), "units"),
    "text units": (lambda a: layer_of(a)["config"].update(units="8"), "units"),
    "class": (lambda a: layer_of(a).update(class_name=3), "layer"),
    "unknown": (lambda a: layer_of(a).update(class_name="Nothing"), "Nothing"),
    "no class": (lambda a: a.pop("class_name"), "nothing of its layers"),
    "other weights": (lambda a: layer_of(a)["config"].update(units=9), ""),
    "many": (lambda a: a["config"].update(layers=[layer_of(a)] * 1001), "more than 1,000"),
    "imported": (lambda a: a.update(module="keras_hub.models"), "Keras's own"),
}


@pytest.mark.parametrize("case", KERAS)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_config_that_could_harm_is_refused(tmp_path, good, case, suffix):
    change, reason = KERAS[case]
    path = as_file(tmp_path, good(suffix), suffix)
    if suffix == ".keras":
        with zipfile.ZipFile(path) as old:
            members = {name: old.read(name) for name in old.namelist()}
        members["config.json"] = edited(change)(members["config.json"])
        with zipfile.ZipFile(path, "w") as new:
            for name, data in members.items():
                new.writestr(name, data)
    else:
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = edited(change)(file.attrs["model_config"])
    refused(path, reason)


def linked_outside(file):
    file["model_weights/dense/outside"] = h5py.ExternalLink("/etc/passwd", "/")


def stored_outside(file):
    file.create_dataset("outside", (8,), "u1", external=[("/etc/passwd", 0, 8)])


def soft_link(file):
    file["soft"] = h5py.SoftLink("/model_weights")


def without_config(file):
    del file.attrs["model_config"]


def without_weights(file):
    del file["model_weights"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (linked_outside, "is a link"),
        (stored_outside, "in another file"),
        (soft_link, "is a link"),
        (without_config, "weights but not the network"),
        (without_weights, ""),
    ],
)
def test_hdf5_that_points_elsewhere_is_refused(tmp_path, good, change, reason):
    path = as_file(tmp_path, good(".h5"), ".h5")
    with h5py.File(path, "r+") as file:
        change(file)
    refused(path, reason)


def test_the_weights_of_a_keras_archive_may_not_lie_elsewhere(tmp_path, good):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        stored_outside(file)
    path = as_file(tmp_path, good(".keras"), ".keras")
    with zipfile.ZipFile(path) as old:
        config = old.read("config.json")
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", config)
        new.writestr("model.weights.h5", out.getvalue())
    refused(path, "in another file")


def test_a_keras_archive_with_a_pickle_is_refused(tmp_path, good):
    path = as_file(tmp_path, good(".keras"), ".keras")
    touched = tmp_path / "touched"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/model.pkl", pickle.dumps(Touch(touched)))
    refused(path, "assets/model.pkl")
    assert not touched.exists()


# ONNX.


def with_external_weights(tmp_path):
    model = onnx.load(write(tmp_path, ".onnx", "plain"))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [None, WIDTH])],
        [onnx.helper.make_tensor_value_info("y", 1, [None, 2])],
        [onnx.numpy_helper.from_array(np.ones((WIDTH, 2), np.float32), "w")],
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import)


@pytest.mark.parametrize("location", ["../../../etc/passwd", "weights.bin"])
def test_onnx_with_weights_in_other_files_is_refused(tmp_path, location):
    model = with_external_weights(tmp_path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    refused(as_file(tmp_path, model.SerializeToString(), ".onnx"), "in other files")


def test_onnx_with_a_constant_in_another_file_is_refused(tmp_path):
    model = with_external_weights(tmp_path)
    tensor = onnx.TensorProto(name="c", data_type=1, dims=[2])
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.data_location = tensor.EXTERNAL
    inner = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    model.graph.node.insert(0, inner)
    refused(as_file(tmp_path, model.SerializeToString(), ".onnx"), "in other files")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.graph.ClearField("node"),
        lambda m: m.graph.node[0].ClearField("op_type"),
        lambda m: m.graph.node[0].input.__setitem__(0, "nothing"),
        lambda m: m.ClearField("opset_import"),
        lambda m: m.ClearField("ir_version"),
        lambda m: setattr(m.graph.initializer[0], "raw_data", b"123"),
    ],
)
def test_onnx_that_is_no_model_is_refused(tmp_path, change):
    model = with_external_weights(tmp_path)
    change(model)
    refused(as_file(tmp_path, model.SerializeToString(), ".onnx"))


# skops.


class Unknown:
    """A type that skops does not know."""

    def __init__(self):
        self.place = 3


def test_skops_names_every_type_that_it_does_not_know(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump({"a": Unknown(), "b": [Foreign()]}, path)
    text = refused(path, "--trust")
    assert f"{__name__}.Unknown" in text
    assert f"{__name__}.Foreign" in text
    half = refused(path, trust=[f"{__name__}.Unknown"])
    assert f"--trust {__name__}.Unknown" not in half


def test_skops_that_names_a_function_is_refused(tmp_path, good):
    path = as_file(tmp_path, good(".skops"), ".skops")
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    schema = json.loads(members["schema.json"])
    schema["__class__"], schema["__module__"] = "system", "os"
    members["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
    refused(path, "os.system")


# Trees.


def xgb_tree(about):
    return about["learner"]["gradient_booster"]["model"]["trees"][0]


XGBOOST = {
    "child": lambda a: xgb_tree(a)["left_children"].__setitem__(0, 10**8),
    "negative child": lambda a: xgb_tree(a)["left_children"].__setitem__(0, -7),
    "cycle": lambda a: xgb_tree(a)["left_children"].__setitem__(1, 0),
    "feature": lambda a: xgb_tree(a)["split_indices"].__setitem__(0, 10**8),
    "negative feature": lambda a: xgb_tree(a)["split_indices"].__setitem__(0, -1),
    "short": lambda a: xgb_tree(a)["split_conditions"].pop(),
    "nan": lambda a: xgb_tree(a)["split_conditions"].__setitem__(0, float("nan")),
    "nodes": lambda a: xgb_tree(a)["tree_param"].update(num_nodes="100000"),
    "group": lambda a: a["learner"]["gradient_booster"]["model"].update(tree_info=[9] * 3),
    "rounds": lambda a: a["learner"]["gradient_booster"]["model"].update(
        iteration_indptr=[0, 10**9]
    ),
    "no trees": lambda a: a["learner"]["gradient_booster"]["model"].update(trees=[]),
    "categories": lambda a: xgb_tree(a).update(
        categories_nodes=[0], categories_segments=[0], categories_sizes=[10**9]
    ),
    "split type": lambda a: xgb_tree(a)["split_type"].__setitem__(0, 1),
    "width": lambda a: a["learner"]["learner_model_param"].update(num_feature="0"),
    "classes": lambda a: a["learner"]["learner_model_param"].update(num_class="100000000"),
    "targets": lambda a: a["learner"]["learner_model_param"].update(num_target="3"),
    "objective": lambda a: a["learner"]["objective"].update(name="reg:squarederror"),
    "no objective": lambda a: a["learner"].pop("objective"),
    "booster": lambda a: a["learner"]["gradient_booster"].update(name="mine"),
    "names": lambda a: a["learner"].update(feature_names=["a"]),
}


@pytest.mark.parametrize("case", XGBOOST)
def test_a_damaged_xgboost_model_is_refused(tmp_path, good, case):
    refused(as_file(tmp_path, edited(XGBOOST[case])(good(".json")), ".json"))


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[$d#L" + struct.pack(">q", 2**60),
        b"[$d#L" + struct.pack(">q", -1),
        b"[$Z#L" + struct.pack(">q", 2**60),
        b"[" * 5_000,
        b"{L" + struct.pack(">q", 2**62),
        b"Z",
        b"{}trailing",
    ],
)
def test_ubjson_that_is_no_model_is_refused(tmp_path, data):
    refused(as_file(tmp_path, data, ".ubj"))


def line(key, value, after="Tree=0"):
    """Return a function that sets one line of the first tree, and the sizes with it."""

    def change(data):
        head, _, rest = data.decode().partition(f"\n{after}\n")
        lines = rest.split("\n")
        place = next(i for i, text in enumerate(lines) if text.startswith(f"{key}="))
        more = len(f"{key}={value}") - len(lines[place])
        lines[place] = f"{key}={value}"
        sizes = head.split("tree_sizes=")[1].split("\n")[0].split()
        new = " ".join([str(int(sizes[0]) + more), *sizes[1:]])
        head = head.replace(" ".join(sizes), new)
        return f"{head}\n{after}\n{chr(10).join(lines)}".encode()

    return change


def swapped(old, new):
    return lambda data: data.replace(old, new, 1)


LIGHTGBM = {
    "version": swapped(b"version=v4", b"version=v9"),
    "decision": line("decision_type", "100000"),
    "levels": swapped(b"pandas_categorical:null", b"pandas_categorical:[3]"),
    "infinite": line("leaf_value", "inf"),
    "child": line("left_child", "100000000"),
    "leaves": line("num_leaves", "100000"),
    "no leaves": line("num_leaves", "0"),
    "feature": line("split_feature", "1000"),
    "categories": line("num_cat", "4"),
    "linear": line("is_linear", "1"),
    "values": line("leaf_value", "1"),
    "words": line("threshold", "many"),
    "sizes": swapped(b"tree_sizes=", b"tree_sizes=9 "),
    "width": swapped(b"max_feature_idx=5", b"max_feature_idx=2"),
    "wide": swapped(b"max_feature_idx=5", b"max_feature_idx=5000000000"),
    "classes": swapped(b"num_tree_per_iteration=1", b"num_tree_per_iteration=2"),
    "objective": swapped(b"objective=binary", b"objective=regression"),
    "no trees": lambda data: data.split(b"\nTree=0\n")[0],
    "no end": swapped(b"end of parameters", b"e"),
}


@pytest.mark.parametrize("case", LIGHTGBM)
def test_a_damaged_lightgbm_model_is_refused(tmp_path, good, case):
    data = LIGHTGBM[case](good(".txt"))
    assert data != good(".txt")
    refused(as_file(tmp_path, data, ".txt"))


def test_the_good_files_load(tmp_path, good):
    assert rows()[0].shape[1] == WIDTH == regression().n_features_in_
    for suffix in (".pt", ".safetensors", ".json", ".ubj", ".txt"):
        assert (
            load_model(as_file(tmp_path, good(suffix), suffix)).scores(torch.rand(2, WIDTH)).shape
        )
