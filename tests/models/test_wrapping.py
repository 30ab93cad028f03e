import pytest
import torch
from torch import nn

import rafair
from rafair.models import adapter_names, parse_device, require_gradient


class Foreign(nn.Module):
    """A module that is no Sequential."""

    def __init__(self, body, squash):
        super().__init__()
        self.body, self.squash = body, squash

    def forward(self, x):
        return self.squash(self.body(x))


@pytest.fixture(scope="module")
def x():
    return torch.rand(9, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_logits_pass_unchanged(problem, x):
    model = rafair.wrap(problem.module)
    assert model.output == "logits"
    assert model.access == "gradient"
    assert model.module is problem.module
    assert torch.equal(model.scores(x), problem.module(x))


def heads(body):
    return {
        "logits": body,
        "softmax": nn.Sequential(*body, nn.Softmax(dim=1)),
        "log-softmax": nn.Sequential(*body, nn.LogSoftmax(dim=1)),
        "foreign softmax": Foreign(body, nn.Softmax(dim=1)),
        "function": Foreign(body, lambda z: torch.softmax(z, dim=1)),
    }


@pytest.mark.parametrize(
    ("head", "output"),
    [
        ("logits", "logits"),
        ("softmax", "probabilities"),
        ("log-softmax", "logits"),
        ("foreign softmax", "probabilities"),
        ("function", "probabilities"),
    ],
)
@pytest.mark.parametrize("k", [2, 3])
def test_every_head_of_k_classes_is_recognised(make_network, x, head, output, k):
    body = make_network(6, k)
    model = rafair.wrap(heads(body)[head])
    assert model.output == output
    expected = torch.log_softmax(body(x), dim=1)
    torch.testing.assert_close(torch.log_softmax(model.scores(x), dim=1), expected)


@pytest.mark.parametrize(
    ("head", "output"),
    [
        (lambda body: body, "logits"),
        (lambda body: nn.Sequential(*body, nn.Flatten(0)), "logits"),
        (lambda body: nn.Sequential(*body, nn.Sigmoid()), "probabilities"),
        (lambda body: Foreign(body, nn.Sigmoid()), "probabilities"),
        (lambda body: Foreign(body, lambda z: torch.sigmoid(z)[:, 0]), "probabilities"),
    ],
)
def test_every_head_of_one_number_is_recognised(make_network, x, head, output):
    body = make_network(6, 1)
    model = rafair.wrap(head(body))
    assert model.output == output
    scores = model.scores(x)
    assert scores.shape == (9, 2)
    torch.testing.assert_close(scores[:, 1] - scores[:, 0], body(x)[:, 0])


def test_probabilities_that_look_like_logits_near_the_data_are_told_apart_far_away():
    module = nn.Linear(2, 1)  # a logit that stays in [0, 1] on the unit square
    module.weight.data, module.bias.data = torch.tensor([[0.5, 0.3]]), torch.tensor([0.1])
    assert rafair.wrap(module).output == "logits"


def test_a_last_layer_is_left_out_so_that_a_saturated_softmax_keeps_its_logits(make_network, x):
    body = make_network(6, 3, gain=60.0)
    model = rafair.wrap(nn.Sequential(*body, nn.Softmax(dim=1)))
    assert torch.equal(model.scores(x), body(x))


@pytest.mark.parametrize("classes", [1, 3])
def test_saturated_probabilities_give_finite_scores(make_network, x, classes):
    squash = nn.Sigmoid() if classes == 1 else nn.Softmax(dim=1)
    body = make_network(6, classes, gain=60.0)
    module = Foreign(body, squash)
    scores = rafair.wrap(module, output="probabilities").scores(x)
    assert (module(x) == 0).any()
    assert torch.isfinite(scores).all()


def test_scores_are_differentiable(make_network, x):
    for head in heads(make_network(6, 2)).values():
        rows = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(rafair.wrap(head).scores(rows)[:, 0].sum(), rows)
        assert (gradient != 0).any()


def test_a_classifier_has_its_modules_type_and_device(make_network):
    assert rafair.wrap(make_network(6, 2)).dtype == torch.float64
    model = rafair.wrap(make_network(6, 2, dtype=torch.float32))
    assert model.dtype == torch.float32
    assert model.device == torch.device("cpu")
    bare = rafair.wrap(nn.Softmax(dim=1), output="probabilities")
    assert bare.dtype == torch.float32
    assert isinstance(model, rafair.Classifier)


def test_a_copy_leaves_the_original_where_it_is(make_network, x):
    model = rafair.wrap(make_network(6, 2))
    twin = model.to(torch.device("cpu"), torch.float32)
    assert twin.dtype == torch.float32
    assert model.dtype == torch.float64
    assert twin.module is not model.module
    torch.testing.assert_close(
        twin.scores(x.float()).double(), model.scores(x), rtol=1e-4, atol=1e-4
    )
    assert model.to(torch.device("cpu")).digest() == model.digest()


def test_the_digest_changes_with_a_weight(make_network):
    module = make_network(6, 2)
    model = rafair.wrap(module)
    before = model.digest()
    assert len(before) == 64
    assert model.digest() == before
    with torch.no_grad():
        module[0].weight[0, 0] += 1e-9
    assert model.digest() != before


def test_wrapping_leaves_the_training_flag_alone(make_network):
    module = make_network(6, 2).train()
    rafair.wrap(module)
    assert module.training


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(6, dtype=torch.float64)])
def test_layers_that_change_from_call_to_call_are_refused_in_training_mode(make_network, layer):
    module = nn.Sequential(layer, *make_network(6, 2))
    with pytest.raises(rafair.InvalidInput, match=r"training mode.*call model\.eval\(\) first"):
        rafair.wrap(module.train())
    assert rafair.wrap(module.eval()).output == "logits"


@pytest.mark.parametrize("model", [None, "adult", 3, lambda x: x, [nn.Linear(2, 2)]])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(rafair.InvalidInput, match="cannot wrap a"):
        rafair.wrap(model)


def test_an_unknown_output_is_refused(make_network):
    with pytest.raises(rafair.InvalidInput, match="'scores'; use one of auto, logits, prob"):
        rafair.wrap(make_network(6, 2), output="scores")


def test_a_model_of_another_width_is_refused(make_network, credit):
    with pytest.raises(rafair.InvalidInput, match="does not accept rows of 20 features"):
        rafair.wrap(make_network(6, 2), credit.schema)


def test_a_model_of_other_classes_is_refused(make_network, credit):
    with pytest.raises(rafair.InvalidInput, match="the model has 3 classes, the data 2"):
        rafair.wrap(make_network(20, 3), credit.schema)


@pytest.mark.parametrize("k", [1, 2])
def test_a_model_that_fits_the_schema_is_taken(make_network, credit, k):
    model = rafair.wrap(make_network(20, k), credit.schema)
    assert model.scores(credit.test.x[:5]).shape == (5, 2)


def test_outputs_of_an_odd_shape_are_refused(make_network):
    with pytest.raises(rafair.InvalidInput, match=r"returned shape \(256, 2, 1\) for 256 rows"):
        rafair.wrap(nn.Sequential(*make_network(6, 2), nn.Unflatten(1, (2, 1))))


def test_without_a_width_the_output_must_be_named():
    with pytest.raises(rafair.InvalidInput, match="pass output='logits' or 'probabilities'"):
        rafair.wrap(nn.Identity())


def test_there_is_an_adapter_for_torch():
    assert "torch_module" in adapter_names()


def test_devices_are_parsed():
    assert parse_device("cpu") == torch.device("cpu")
    assert parse_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "cuda:99", "warp"])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(rafair.InvalidInput, match="is not available here; use cpu or auto"):
        parse_device(name)


def test_a_device_without_numbers_is_refused():
    with pytest.raises(rafair.InvalidInput, match="'meta' holds no numbers"):
        parse_device("meta")


def test_an_unwrapped_model_is_refused_where_gradients_are_needed(make_network):
    with pytest.raises(rafair.InvalidInput, match="RAFair takes a wrapped model, not a Sequential"):
        require_gradient(make_network(6, 2), "RAFair")


def test_an_output_that_a_models_kind_contradicts_is_refused():
    from sklearn.ensemble import RandomForestClassifier

    rows = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).numpy()
    forest = RandomForestClassifier(3, random_state=0).fit(rows, rows[:, 0] > 0.5)
    assert rafair.wrap(forest, output="probabilities").access == "scores"
    with pytest.raises(rafair.InvalidInput, match="returns probabilities, not logits"):
        rafair.wrap(forest, output="logits")


class LooksUp(nn.Module):
    """Looks up a row by the first column, in a table of two."""

    def __init__(self, width, last, factor=1.0):
        super().__init__()
        self.table, self.last, self.factor = nn.Embedding(2, width), last, factor

    def forward(self, x):
        return self.last(self.table((x[:, 0] * self.factor).round().long()))


def test_probabilities_are_told_where_nothing_is_looked_up_far_away(credit):
    model = rafair.wrap(LooksUp(2, nn.Softmax(dim=1)), credit.schema)
    assert model.output == "probabilities"
    with pytest.raises(rafair.InvalidInput, match="cannot tell logits from probabilities"):
        rafair.wrap(LooksUp(1, nn.Sigmoid()), credit.schema)


def test_a_table_that_lacks_a_row_is_refused(credit):
    with pytest.raises(rafair.InvalidInput, match="does not accept rows of 20 features: index"):
        rafair.wrap(LooksUp(2, nn.Identity(), factor=3.0), credit.schema, output="logits")


def test_codes_arrive_whole_at_a_network_that_reads_them(credit):
    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 2)

        def forward(self, x):
            return self.table(x[:, 3].long())

    place, last = 3, 9
    assert len(credit.schema.features[place].domain) == last + 1
    codes = torch.arange(last + 1)
    x = credit.test.x[:1].repeat(last + 1, 1)
    x[:, place] = codes / last
    module = Codes()
    model = rafair.wrap(module, credit.schema, output="logits", inputs="original")
    assert torch.equal(model.scores(x.to(model.dtype)), module.table(codes))
