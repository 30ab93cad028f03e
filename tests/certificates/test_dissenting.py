import pytest
import torch
from torch import nn

import rafair
from rafair.certificates.dissenting import corners, dissenters

SEXES = rafair.Counterparts.product(columns=[1], values=[[0.0, 1.0]])


def threshold(at, effect):
    """Decide by whether the first feature plus the effect of the second is above a number."""
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].weight.data = torch.tensor([[0.0, 0.0], [1.0, effect]])
    module[0].bias.data = torch.tensor([0.0, -at])
    return rafair.wrap(module.eval(), output="logits")


def people(*values):
    return torch.tensor([[value, 0.0] for value in values])


def to_hundredths(x):
    return torch.round(x * 100) / 100


def test_people_themselves_come_first():
    found = dissenters(threshold(0.5, 0.2), people(0.1, 0.4, 0.9, 0.45), SEXES, to_hundredths)
    assert found[:, 0].tolist() == pytest.approx([0.4, 0.45])


@pytest.mark.parametrize("at", [0.2, 0.5, 0.77])
def test_between_people_of_different_classes_one_is_found_by_halving(at):
    model = threshold(at, 0.02)
    found = dissenters(model, people(0.05, 0.95, 0.1), SEXES, to_hundredths)
    assert len(found)
    assert ((found[:, 0] > at - 0.02 - 1e-6) & (found[:, 0] <= at)).all()
    assert torch.equal(found, to_hundredths(found))


def test_one_person_of_another_class_is_enough_for_all_ways():
    model = threshold(0.5, 0.01)
    found = dissenters(model, people(0.07, 0.11, 0.2, 0.3, 0.9), SEXES, to_hundredths)
    assert len(found)
    assert ((found[:, 0] > 0.49 - 1e-6) & (found[:, 0] <= 0.5)).all()


def test_margins_fall_and_rise_towards_corners():
    low, high = torch.tensor([0.1, 0.0]), torch.tensor([0.7, 0.0])
    ends = corners(threshold(0.5, 0.2), people(0.2, 0.6), low, high)
    assert ends[:, 0].tolist() == pytest.approx([0.7, 0.1, 0.1, 0.7])


def test_a_model_without_gradients_has_no_corners():
    features = [rafair.Feature(name, "numeric", (0, 1)) for name in ("pay", "sex")]
    schema = rafair.Schema(features, "paid", ("no", "yes"))
    asked = rafair.wrap(lambda frame: (frame["pay"] > 0.5).astype(float), schema)
    assert not len(corners(asked, people(0.2), torch.zeros(2), torch.ones(2)))


def test_nobody_is_found_where_sex_changes_no_decision():
    assert not len(dissenters(threshold(0.5, 0.0), people(0.1, 0.9), SEXES, to_hundredths))
    assert not len(dissenters(threshold(0.5, 0.2), people(0.1, 0.2), SEXES, to_hundredths))


def test_no_more_people_are_looked_at_than_fit_in_one_question():
    many = rafair.Counterparts.product(columns=[1], values=[torch.linspace(0, 1, 500).tolist()])
    x = people(*[0.1] * 48, 0.45)
    assert not len(dissenters(threshold(0.5, 0.2), x, many, to_hundredths))
    assert len(dissenters(threshold(0.5, 0.2), x.flip(0), many, to_hundredths)) == 1
