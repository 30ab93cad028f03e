import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.problem import loss_names, make_loss
from rafair.problem.losses import CrossEntropy, ErrorProbability, Margin, MeanSquaredError
from reference import exact_derivative, loss_of

NAMES = ("mse", "cross_entropy", "margin")
LOSSES = {**{name: make_loss(name) for name in NAMES}, "error_probability": ErrorProbability()}
SMOOTH = ("mse", "cross_entropy", "error_probability")


@st.composite
def logits_and_labels(draw, size=8.0):
    k, n = draw(st.sampled_from([2, 3, 5])), draw(st.integers(1, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = torch.Generator().manual_seed(seed)
    z = (torch.rand(n, k, generator=generator, dtype=torch.float64) - 0.5) * size
    return z, torch.randint(k, (n,), generator=generator)


def row_by_row(z, y, loss):
    return torch.stack(
        [loss_of(row, label, loss) for row, label in zip(z, y.tolist(), strict=True)]
    )


@pytest.mark.parametrize("name", LOSSES)
@given(case=logits_and_labels())
def test_the_value_equals_the_textbook_formula(name, case):
    z, y = case
    value = LOSSES[name].value(z, y)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, row_by_row(z, y, name), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
@given(case=logits_and_labels())
def test_the_derivative_equals_autograd(name, case):
    z, y = case
    direction, log_scale = LOSSES[name].derivative(z, y)
    assert log_scale.dtype == torch.float64
    z = z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(row_by_row(z, y, name).sum(), z)
    scaled = torch.exp(log_scale).unsqueeze(1) * direction
    torch.testing.assert_close(scaled, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("gap", [50.0, -50.0, 120.0, -120.0, 300.0, -300.0, 600.0, -600.0])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_two_saturated_logits_have_the_analytic_derivative(gap, label, dtype):
    z = torch.zeros(1, 2, dtype=dtype)
    z[0, 1 - label] = gap  # log-odds against the label
    y = torch.tensor([label])
    log_wrong = min(gap, 0.0) - math.log1p(math.exp(-abs(gap)))
    log_right = min(-gap, 0.0) - math.log1p(math.exp(-abs(gap)))
    expected = {
        "mse": math.log(2) + 2 * log_wrong + log_right,  # l = q², hence ∂l/∂gap = 2 q² p
        "cross_entropy": log_wrong,
        "error_probability": log_wrong + log_right,
    }
    for name in SMOOTH:
        direction, log_scale = LOSSES[name].derivative(z, y)
        assert direction.dtype == dtype
        assert direction[0, label] < 0 < direction[0, 1 - label]
        log_magnitude = log_scale[0] + direction[0].double().abs().log()
        torch.testing.assert_close(
            log_magnitude,
            torch.full((2,), expected[name], dtype=torch.float64),
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(
    "logits",
    [
        [0.0, 55.0, 21.0],
        [60.0, 0.0, 3.0],
        [0.0, 300.0, 299.5],
        [600.0, 0.0, 1.0],
        [-150.0, 150.0, 149.0],
        [0.0, 80.0, -40.0, 79.0, 13.0],
        [250.0, 0.0, -250.0, 20.0, 0.5],
    ],
)
def test_saturated_logits_of_many_classes_match_long_arithmetic(name, logits):
    z = torch.tensor([logits], dtype=torch.float64)
    for label in range(len(logits)):
        direction, log_scale = LOSSES[name].derivative(z, torch.tensor([label]))
        exact = exact_derivative(logits, label, name)
        for j, (sign, log_magnitude) in enumerate(exact):
            assert float(direction[0, j].sign()) == sign
            found = float(log_scale[0] + direction[0, j].abs().log())
            assert found == pytest.approx(log_magnitude, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_surer_correct_prediction_has_a_smaller_derivative(name, k, dtype):
    gaps = torch.arange(50.0, 601.0, 25.0, dtype=dtype)
    z = torch.linspace(0, 1, k, dtype=dtype).repeat(len(gaps), 1)
    z[:, 0] += 1 + gaps
    y = torch.zeros(len(gaps), dtype=torch.int64)
    direction, log_scale = LOSSES[name].derivative(z, y)
    norms = log_scale + direction.double().abs().sum(dim=1).log()
    assert torch.isfinite(norms).all()
    assert (norms.diff() < -20).all()
    assert (direction[:, 0] < 0).all()
    assert (direction[:, 1:] > 0).all()


def test_float32_logits_keep_their_type_and_agree_with_float64_ones():
    generator = torch.Generator().manual_seed(5)
    z = torch.randn(20, 3, generator=generator)
    y = torch.randint(3, (20,), generator=generator)
    for loss in LOSSES.values():
        short, short_scale = loss.derivative(z, y)
        long, long_scale = loss.derivative(z.double(), y)
        assert short.dtype == torch.float32
        torch.testing.assert_close(
            short_scale.exp().unsqueeze(1) * short.double(),
            long_scale.exp().unsqueeze(1) * long,
            rtol=1e-5,
            atol=1e-7,
        )
        torch.testing.assert_close(loss.value(z, y), loss.value(z.double(), y))


@given(case=logits_and_labels(size=30.0))
def test_the_margin_is_positive_exactly_where_the_prediction_is_wrong(case):
    z, y = case
    assert torch.equal(make_loss("margin").value(z, y) > 0, z.argmax(dim=1) != y)


def test_a_loss_is_found_by_name_and_an_object_is_returned_as_it_is():
    assert loss_names() == NAMES
    assert [type(make_loss(name)) for name in NAMES] == [MeanSquaredError, CrossEntropy, Margin]
    mine = Margin()
    assert make_loss(mine) is mine


def test_an_unknown_loss_is_refused_with_the_known_names():
    with pytest.raises(rafair.InvalidInput, match=r"'hinge'.*mse, cross_entropy, margin"):
        make_loss("hinge")


def test_the_error_probability_has_no_name_on_the_command_line():
    assert "error_probability" not in loss_names()
    assert make_loss(ErrorProbability()) == ErrorProbability()


def test_the_error_probability_of_a_sure_model_does_not_vanish():
    z = torch.tensor([[300.0, 0.0], [0.0, 300.0], [40.0, 0.0]], dtype=torch.float64)
    value = ErrorProbability().value(z, torch.tensor([0, 0, 0]))
    assert value.tolist() == pytest.approx([math.exp(-300), 1.0, math.exp(-40)], rel=1e-12, abs=0)
    value = ErrorProbability().value(torch.tensor([[90.0, 0.0, 1.0]]), torch.tensor([0]))
    assert value.tolist() == pytest.approx([math.exp(-90) * (1 + math.e)], rel=1e-6, abs=0)


@given(case=logits_and_labels(size=60.0))
def test_the_error_probabilitys_derivative_has_the_signs_of_the_cross_entropys(case):
    z, y = case
    output, output_scale = ErrorProbability().derivative(z, y)
    entropy, entropy_scale = CrossEntropy().derivative(z, y)
    assert torch.equal(output, entropy)
    assert (output_scale <= entropy_scale).all()
