import pytest
import torch
from torch import nn
from torch.nn import functional

import rafair
from rafair.models import LeakyGradient

CALLS = {
    "functional.relu": functional.relu,
    "torch.relu": torch.relu,
    "Tensor.relu": torch.Tensor.relu,
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU(inplace=True)": nn.ReLU(inplace=True),
    "functional.relu(inplace=True)": lambda z: functional.relu(z, inplace=True),
    "torch.relu_": torch.relu_,
    "Tensor.relu_": torch.Tensor.relu_,
}


class Called(nn.Module):
    """A dense layer, a ReLU called in some way, another dense layer."""

    def __init__(self, relu, dtype=torch.float64):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.last = nn.Linear(4, 9, dtype=dtype), nn.Linear(9, 3, dtype=dtype)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=generator, dtype=dtype)
        self.relu = relu

    def forward(self, x):
        return self.last(self.relu(self.first(x)))


class Rectified(nn.Module):
    """Two scores that are nothing but a ReLU of the inputs."""

    def __init__(self, relu):
        super().__init__()
        self.relu = relu

    def forward(self, x):
        return self.relu(x * 1.0)


def slopes(model, x):
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(model.scores(x).sum(), x)
    return found


@pytest.fixture
def rows():
    return torch.randn(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("relu", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_scores_are_the_same_bit_for_bit(rows, relu, dtype):
    model = rafair.wrap(Called(relu, dtype), output="logits")
    x = rows.to(dtype)
    assert torch.equal(LeakyGradient(model).scores(x), model.scores(x))


@pytest.mark.parametrize("relu", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("slope", [0.05, 0.5])
def test_the_derivative_is_one_where_a_relu_is_active_and_the_slope_where_it_is_idle(relu, slope):
    model = rafair.wrap(Rectified(relu), output="logits")
    x = torch.tensor([[2.0, -3.0], [-0.1, 1e-3]], dtype=torch.float64)
    expected = torch.where(x > 0, 1.0, slope).to(x.dtype)
    torch.testing.assert_close(slopes(LeakyGradient(model, slope), x), expected)
    assert torch.equal(slopes(model, x), (x > 0).to(x.dtype))


@pytest.mark.parametrize("relu", CALLS.values(), ids=CALLS)
def test_slopes_are_multiplied_from_layer_to_layer(rows, relu):
    module = Called(relu)
    model = rafair.wrap(module, output="logits")
    with torch.no_grad():
        leak = torch.where(module.first(rows) > 0, 1.0, 0.05).to(rows.dtype)
    expected = (module.last.weight.sum(dim=0) * leak) @ module.first.weight
    torch.testing.assert_close(slopes(LeakyGradient(model), rows), expected)


@pytest.mark.parametrize("relu", CALLS.values(), ids=CALLS)
def test_the_models_own_gradient_is_the_same_afterwards(rows, relu):
    model = rafair.wrap(Called(relu), output="logits")
    before = slopes(model, rows)
    through_leaks = slopes(LeakyGradient(model), rows)
    assert not torch.equal(through_leaks, before)
    assert torch.equal(slopes(model, rows), before)


def test_the_models_own_gradient_is_the_same_after_a_failure(rows):
    model = rafair.wrap(Called(torch.relu), output="logits")
    before = slopes(model, rows)
    with pytest.raises(RuntimeError):
        LeakyGradient(model).scores(rows[:, :2])
    assert torch.equal(slopes(model, rows), before)


@pytest.mark.parametrize(
    "kink",
    [nn.LeakyReLU(0.3), nn.ReLU6(), nn.Tanh(), lambda z: z.clamp_min(0)],
    ids=["leaky", "relu6", "tanh", "clamp"],
)
def test_what_is_no_relu_keeps_its_gradient(rows, kink):
    model = rafair.wrap(Called(kink), output="logits")
    assert torch.equal(slopes(LeakyGradient(model), rows), slopes(model, rows))


def test_it_stands_for_the_model_in_everything_else(rows):
    model = rafair.wrap(Called(torch.relu, torch.float32), output="logits")
    leaky = LeakyGradient(model)
    assert isinstance(leaky, rafair.models.Classifier)
    assert (leaky.access, leaky.dtype, leaky.device) == ("gradient", torch.float32, model.device)
    assert leaky.digest() == model.digest()


def dropped(z):
    """Call ReLU for what it does to its argument."""
    z.relu_()
    return z


def by_name(z):
    return torch.relu(input=z)


@pytest.mark.parametrize("relu", [dropped, by_name])
def test_other_ways_to_call_relu_are_the_same(rows, relu):
    model = rafair.wrap(Called(relu), output="logits")
    assert torch.equal(LeakyGradient(model).scores(rows), model.scores(rows))
    x = torch.tensor([[2.0, -3.0, 0.0]], dtype=torch.float64)
    leaky = LeakyGradient(rafair.wrap(Rectified(relu), output="logits"), 0.05)
    torch.testing.assert_close(slopes(leaky, x), torch.tensor([[1.0, 0.05, 0.05]]).double())
