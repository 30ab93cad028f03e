import pytest
import torch
from safetensors.torch import save
from torch import nn

import rafair
from rafair.fairness.quality import accuracy_figures
from rafair.models import (
    epochs_for,
    fcnn,
    fit,
    load_fcnn,
    read_metadata,
    serialise_fcnn,
    train_fcnn,
)

METRICS = {"accuracy": 0.75, "if": 0.5}


@pytest.fixture(scope="module")
def trained(credit):
    return train_fcnn(credit, epochs=2)


@pytest.fixture(scope="module")
def path(tmp_path_factory, trained, credit):
    path = tmp_path_factory.mktemp("models") / "credit.safetensors"
    path.write_bytes(serialise_fcnn(trained.module, credit.schema, METRICS))
    return path


def same_weights(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("classes", [2, 5])
def test_fcnn_has_six_dense_layers_with_relu_between(classes):
    module = fcnn(13, classes)
    dense = [layer for layer in module if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in dense] == [13, 32, 64, 128, 64, 32]
    assert [layer.out_features for layer in dense] == [32, 64, 128, 64, 32, classes]
    assert all(isinstance(layer, nn.Linear | nn.ReLU) for layer in module)
    assert len(module) == 11
    assert isinstance(module[-1], nn.Linear)


def test_training_is_repeatable(credit, trained):
    again = train_fcnn(credit, epochs=2)
    other = train_fcnn(credit, epochs=2, random_state=1)
    assert same_weights(again.module, trained.module)
    assert again.digest() == trained.digest()
    assert not same_weights(other.module, trained.module)


def test_training_does_not_depend_on_the_global_random_state(credit, trained):
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        again = train_fcnn(credit, epochs=2)
    assert same_weights(again.module, trained.module)


def test_training_restores_the_number_of_threads(credit):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fit(credit.train.x[:130], credit.train.y[:130], 2, epochs=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_trained_network_is_ready_for_use(trained, credit):
    assert not trained.module.training
    assert trained.dtype == torch.float32
    assert trained.output == "logits"
    assert not any(parameter.requires_grad for parameter in trained.module.parameters())
    assert trained.scores(credit.test.x[:3].float()).shape == (3, 2)


def test_every_finished_epoch_is_reported(credit):
    seen = []
    fit(credit.train.x[:130], credit.train.y[:130], 2, epochs=3, on_epoch=seen.append)
    assert seen == [1, 2, 3]


def test_a_plain_network_is_adam_on_cross_entropy_and_nothing_else(credit):
    x, y = credit.train.x.float()[:300], credit.train.y[:300]
    generator = torch.Generator().manual_seed(5)
    module = fcnn(20, 2)
    for layer in module[::2]:
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
    adam = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(3):
        for rows in torch.randperm(300, generator=generator).split(128):
            adam.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            adam.step()
    plain = fit(x, y, 2, random_state=5, epochs=3, plain=True)
    for mine, theirs in zip(plain.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-4, atol=1e-6)


def test_a_plain_network_is_trained_for_30_epochs_however_few_the_rows(credit):
    seen = []
    x, y = credit.train.x[:130], credit.train.y[:130]
    fit(x, y, 2, plain=True, on_epoch=seen.append)
    assert len(seen) == epochs_for(130, plain=True) == 30


def test_plain_and_usual_training_differ(credit, trained):
    assert not same_weights(train_fcnn(credit, epochs=2, plain=True).module, trained.module)


def test_three_classes_can_be_learned():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(600, 2, generator=generator, dtype=torch.float64)
    y = (x[:, 0] * 3).long().clamp_max(2)
    module = fit(x, y, 3, epochs=60)
    assert (module(x.float()).argmax(dim=1) == y).double().mean() > 0.9


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused(credit, epochs):
    with pytest.raises(rafair.InvalidInput, match="epochs must be 1 or more"):
        train_fcnn(credit, epochs=epochs)


@pytest.mark.parametrize(("n", "epochs"), [(700, 167), (100, 1000), (4320, 30), (30_000, 30)])
def test_small_data_is_seen_more_often(n, epochs):
    assert epochs_for(n) == epochs


def test_training_reproduces_the_shipped_baseline(credit, credit_model):
    again = train_fcnn(credit)
    test = credit.test.x, credit.test.y
    mine, shipped = (accuracy_figures(model, *test) for model in (again, credit_model))
    assert mine["accuracy"] == pytest.approx(shipped["accuracy"], abs=0.01)


def test_a_saved_network_comes_back_bit_for_bit(path, trained, credit):
    for schema in (None, credit.schema):
        loaded = load_fcnn(path, schema)
        assert same_weights(loaded.module, trained.module)
        assert not loaded.module.training
    assert read_metadata(path) == {
        "features": list(credit.schema.names),
        "classes": list(credit.schema.classes),
        "metrics": METRICS,
    }


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(rafair.InvalidInput, match=r"nowhere\.safetensors: no such model file"):
        load_fcnn(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256)) * 8])
def test_garbage_is_no_model(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for read in (load_fcnn, read_metadata):
        with pytest.raises(rafair.InvalidInput, match="not a model file in safetensors format"):
            read(path)


def test_a_truncated_file_is_no_model(tmp_path, path):
    short = tmp_path / "model.safetensors"
    short.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(rafair.InvalidInput, match="not a model file in safetensors format"):
        load_fcnn(short)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "rafair-fcnn-99"}])
def test_another_format_is_refused(tmp_path, trained, metadata):
    path = tmp_path / "model.safetensors"
    path.write_bytes(save(trained.module.state_dict(), metadata))
    with pytest.raises(rafair.InvalidInput, match="not written by rafair train"):
        load_fcnn(path)


def test_a_network_for_other_columns_is_refused(path):
    compas = rafair.load_dataset("compas")
    with pytest.raises(rafair.InvalidInput, match="trained with other features than the data's"):
        load_fcnn(path, compas.schema)


def test_a_network_for_other_classes_is_refused(tmp_path, trained, credit):
    other = rafair.Schema(credit.schema.features, credit.schema.label, ("no", "yes"))
    path = tmp_path / "model.safetensors"
    path.write_bytes(serialise_fcnn(trained.module, other, METRICS))
    with pytest.raises(rafair.InvalidInput, match="trained with other classes than the data's"):
        load_fcnn(path, credit.schema)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, credit, value):
    module = fcnn(20, 2)
    with torch.no_grad():
        module[4].weight[3, 3] = value
    path = tmp_path / "model.safetensors"
    path.write_bytes(serialise_fcnn(module, credit.schema, METRICS))
    with pytest.raises(rafair.InvalidInput, match="a weight is NaN or infinite"):
        load_fcnn(path)


def test_weights_of_another_shape_are_refused(tmp_path, credit):
    path = tmp_path / "model.safetensors"
    path.write_bytes(serialise_fcnn(fcnn(7, 2), credit.schema, METRICS))
    with pytest.raises(rafair.InvalidInput, match=r"weights do not fit FCNN\(6\)"):
        load_fcnn(path)
