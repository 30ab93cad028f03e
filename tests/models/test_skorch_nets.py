"""skorch: the module of a net is converted, alone and at the end of a pipeline."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

import rafair
from rafair.models.agreement import random_people

skorch = pytest.importorskip("skorch")
N, NUMBERS = 200, ["age", "income", "sex"]


class Own(nn.Module):
    """Somebody's own module."""

    def __init__(self, ends=()):
        super().__init__()
        self.hidden, self.last = nn.Linear(3, 6), nn.Linear(6, 2)
        self.ends = nn.Sequential(*ends)

    def forward(self, x):
        return self.ends(self.last(torch.tanh(self.hidden(x))))


def layers(width, outputs, *ends):
    return nn.Sequential(nn.Linear(width, 6), nn.ReLU(), nn.Linear(6, outputs), *ends)


@cache
def people():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 60, N),
            "income": rng.normal(3, 1, N).round(2),
            "sex": rng.integers(0, 2, N),
        }
    )
    worth = frame["age"] / 20 + frame["income"] + frame["sex"]
    return frame.assign(paid=(worth > worth.median()).astype(int))


def schema_of(frame=None, **changes):
    return rafair.Schema.infer(people(), label="paid", sensitive=["sex"])


def net(module, criterion, binary=False, **settings):
    kind = skorch.NeuralNetBinaryClassifier if binary else skorch.NeuralNetClassifier
    options = {"max_epochs": 3, "lr": 0.01, "train_split": None, "verbose": 0, **settings}
    torch.manual_seed(0)
    return kind(module, criterion=criterion, **options)


def fitted(model):
    label = people()["paid"].to_numpy()
    binary = isinstance(
        getattr(model, "steps", [("", model)])[-1][1], skorch.NeuralNetBinaryClassifier
    )
    rows = people()[NUMBERS].to_numpy(np.float32)
    return model.fit(rows, label.astype(np.float32 if binary else np.int64))


NETS = {
    "logits": lambda: net(layers(3, 2), nn.CrossEntropyLoss),
    "one layer": lambda: net(nn.Sequential(nn.Linear(3, 2)), nn.CrossEntropyLoss),
    "probabilities": lambda: net(layers(3, 2, nn.Softmax(dim=1)), nn.NLLLoss),
    "own": lambda: net(Own(), nn.CrossEntropyLoss),
    "own probabilities": lambda: net(Own([nn.Softmax(dim=1)]), nn.NLLLoss),
    "one logit": lambda: net(layers(3, 1), nn.BCEWithLogitsLoss, True),
    "flat logit": lambda: net(layers(3, 1, nn.Flatten(0)), nn.BCEWithLogitsLoss, True),
    "one probability": lambda: net(layers(3, 1, nn.Sigmoid()), nn.BCELoss, True),
    "dropout": lambda: net(layers(3, 2, nn.Dropout(0.5)), nn.CrossEntropyLoss),
}


@cache
def trained(name, scaled):
    return fitted(make_pipeline(StandardScaler(), NETS[name]()) if scaled else NETS[name]())


@pytest.mark.parametrize("swapped", [False, True], ids=["classes", "classes the other way"])
@pytest.mark.parametrize("scaled", [False, True], ids=["alone", "behind a scaler"])
@pytest.mark.parametrize("name", NETS)
def test_a_net_is_its_module(name, scaled, swapped):
    model, schema = trained(name, scaled), schema_of()
    if swapped:
        schema = rafair.Schema(schema.features, schema.label, schema.classes[::-1])
    found = rafair.wrap(model, schema)
    assert (found.access, found.reads) == ("gradient", "original")
    assert found.kind.endswith(", converted to torch")
    assert found.kind.startswith("scikit-learn Pipeline" if scaled else "skorch NeuralNet")
    x = random_people(schema, 300, random_state=4)
    rows = schema.decode(x)[NUMBERS].to_numpy(np.float32)
    theirs = torch.from_numpy(model.predict_proba(rows)).double()
    ours = found.scores(x).softmax(dim=1)
    torch.testing.assert_close(ours, theirs.flip(1) if swapped else theirs, atol=1e-5, rtol=0)
    assert theirs.std() > 1e-3


@pytest.mark.parametrize("name", ["probabilities", "own probabilities", "one probability"])
def test_gradients_are_slopes(name):
    found = rafair.wrap(trained(name, scaled=True), schema_of())
    x = random_people(schema_of(), 60).clamp(0.1, 0.9).requires_grad_()
    (slopes,) = torch.autograd.grad(found.scores(x).diff(dim=1).sum(), x)
    step = torch.zeros_like(x)
    step[:, 1] = 1e-6
    with torch.no_grad():
        ends = [found.scores(x + sign * step).diff(dim=1)[:, 0] for sign in (1, -1)]
    measured = (ends[0] - ends[1]) / 2e-6
    assert (slopes[:, 1] != 0).any()
    near = (measured - slopes[:, 1]).abs() <= 1e-4 * slopes[:, 1].abs().clamp_min(1)
    assert near.double().mean() > 0.95  # a kink within reach is rare


def test_a_net_of_layers_is_certified_and_the_users_module_stays_as_it_is():
    model = trained("probabilities", scaled=True)
    net, before = model[-1], [w.detach().clone() for w in model[-1].module_.parameters()]
    training, kinds = net.module_.training, {w.dtype for w in net.module_.parameters()}
    found = rafair.wrap(model, schema_of())
    assert [type(layer) for layer in found.module] == [nn.Linear, nn.ReLU, nn.Linear]
    x = schema_of().encode(people())[:10]
    y = found.scores(x).argmax(dim=1)
    counterparts = rafair.Counterparts.of(schema_of())
    space = rafair.PerturbationSpace.of(schema_of(), epsilon=0.01)
    assert (rafair.certify(found, x, y, counterparts, space).status == 1).any()
    assert net.module_.training is training
    assert {w.dtype for w in net.module_.parameters()} == kinds == {torch.float32}
    assert all(map(torch.equal, before, net.module_.parameters()))


def test_text_goes_through_an_encoder_to_a_net():
    frame = people().assign(sex=np.array(["f", "m"])[people()["sex"]])
    schema = rafair.Schema.infer(frame, label="paid", sensitive=["sex"])
    before = make_column_transformer(
        (OneHotEncoder(sparse_output=False, dtype=np.float32), ["sex"]),
        (StandardScaler(), ["age", "income"]),
    )
    model = make_pipeline(before, net(layers(4, 2), nn.CrossEntropyLoss))
    rows = frame[NUMBERS].astype({"age": np.float32, "income": np.float32})
    model.fit(rows, frame["paid"].to_numpy())
    found = rafair.wrap(model, schema)
    assert (found.access, found.reads) == ("gradient", "frame")


def test_another_nonlinearity_or_threshold_leaves_what_it_answers():
    doubled = net(layers(3, 2), nn.CrossEntropyLoss, predict_nonlinearity=torch.sigmoid)
    found = rafair.wrap(fitted(doubled), schema_of())
    assert found.access == "scores"
    assert "no conversion of skorch's NeuralNetClassifier with these settings" in found.kind
    strict = net(layers(3, 1), nn.BCEWithLogitsLoss, True, threshold=0.55)
    found = rafair.wrap(fitted(strict), schema_of())
    x = random_people(schema_of(), 200)
    rows = schema_of().decode(x)[NUMBERS].to_numpy(np.float32)
    assert found.access != "gradient"
    np.testing.assert_array_equal(found.scores(x).argmax(dim=1), strict.predict(rows))


def test_a_net_that_is_not_fitted_is_refused():
    with pytest.raises(rafair.InvalidInput, match="NeuralNetClassifier is not fitted"):
        rafair.wrap(net(layers(3, 2), nn.CrossEntropyLoss), schema_of())
