"""Activations against autograd, in the types that models use, and the lines that bound them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rafair.bounds.activations import RELU, activation_of
from rafair.bounds.relaxation import Relaxation
from rafair.bounds.rounding import _activation_error
from rafair.bounds.tangents import line_below

LAYERS = {
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "softsign": nn.Softsign(),
    "tanhshrink": nn.Tanhshrink(),
    "gelu": nn.GELU(),
    "gelu by tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hardswish": nn.Hardswish(),
    "log sigmoid": nn.LogSigmoid(),
    "elu": nn.ELU(),
    "steep elu": nn.ELU(2.5),
    "flat elu": nn.ELU(0.3),
    "celu": nn.CELU(0.7),
    "selu": nn.SELU(),
    "softplus": nn.Softplus(),
    "steep softplus": nn.Softplus(4.0, 15.0),
    "flat softplus": nn.Softplus(0.2),
}
GRID = torch.cat([torch.linspace(-30, 30, 30_001), torch.linspace(-3.1, 3.1, 10_007)])
POINTS = GRID.double().sort().values


@pytest.mark.parametrize("name", LAYERS)
def test_an_activation_is_what_torch_computes(name):
    layer, ours = LAYERS[name], activation_of(LAYERS[name])
    z = POINTS.clone().requires_grad_()
    value = layer(z)
    assert ((value - ours.value(POINTS)).abs() <= ours.gap + 1e-13).all()
    smooth = ((POINTS.unsqueeze(1) - torch.tensor(ours.bends)).abs() > 1e-6).all(dim=1)
    slope = torch.autograd.grad(value.sum(), z)[0]
    torch.testing.assert_close(ours.slope(POINTS)[smooth], slope[smooth], rtol=0, atol=1e-6)
    assert (ours.slope(POINTS).abs() <= ours.steepest * (1 + 1e-12)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LAYERS)
def test_no_type_rounds_it_by_more_than_is_allowed(name, dtype):
    ours, points = activation_of(LAYERS[name]), POINTS.to(dtype)
    off = (LAYERS[name](points).double() - ours.value(points.double())).abs()
    assert (off <= _activation_error(ours, points.double().abs(), dtype)).all()


@pytest.mark.parametrize("name", LAYERS)
def test_the_curvature_has_the_sign_that_is_claimed(name):
    ours = activation_of(LAYERS[name])
    part = torch.bucketize(POINTS, torch.tensor(ours.bends, dtype=torch.float64))
    step = ours.slope(POINTS).diff()
    for place, convex in enumerate(ours.convex):
        inside = (part[1:] == place) & (part[:-1] == place)
        assert ((step[inside] if convex else -step[inside]) >= -1e-13).all()


@pytest.mark.parametrize("name", [*LAYERS, "relu"])
@settings(max_examples=25)
@given(middle=st.floats(-12, 12), width=st.sampled_from([0.0, 1e-9, 1e-4, 0.03, 0.5, 4.0, 20.0]))
def test_lines_bound_it_and_ranges_hold_its_values(name, middle, width):
    ours = RELU if name == "relu" else activation_of(LAYERS[name])
    low = torch.tensor([[middle - width / 2]], dtype=torch.float64)
    high = low + width
    lines = Relaxation.of([(ours, 1)], low, high)
    share = torch.linspace(0, 1, 501, dtype=torch.float64)
    z = torch.cat([low[0] + share * width, torch.tensor(ours.bends, dtype=torch.float64)])
    z = z.clamp(low[0], high[0])
    value, slope, error = ours.value(z), ours.slope(z), 1e-13 * (1 + abs(middle) + width)
    assert (lines.below[0] * z + lines.base[0] <= value + error).all()
    assert (lines.above[0] * z + lines.shift[0] >= value - error).all()
    least, most = ours.range(low[0], high[0])
    assert (least - error <= value).all()
    assert (value <= most + error).all()
    flat, steep = ours.slopes(low[0], high[0])
    assert ((flat - 1e-9 <= slope) & (slope <= steep + 1e-9)).all()


@pytest.mark.parametrize("name", LAYERS)
def test_a_line_over_a_short_interval_is_nearly_the_best(name):
    """The gap is small where the slope hardly changes, and else at most that of a corner."""
    ours = activation_of(LAYERS[name])
    middle = torch.linspace(-4, 4, 41, dtype=torch.float64) + 0.0137
    for width in (0.1, 0.01):
        low, high = middle - width / 2, middle + width / 2
        slope, offset = line_below(ours, low, high)
        gap = ours.value(middle) - slope * middle - offset
        steep = (ours.slope(high) - ours.slope(low)).abs().amax()
        assert (gap <= 0.26 * width * steep + 1e-9).all()
