"""The trade-off: points, what is best of them, the table, the picture, and a collapse."""

import json
from types import SimpleNamespace

import pytest
import torch

import rafair
from rafair.problem import Counterparts, PerturbationSpace
from rafair.report.pareto import draw_pareto, pareto_table
from rafair.training.measuring import Measured, constant_measured, measured
from rafair.training.pareto import BASELINE, CONSTANT, TRAININGS, Point, Training, best_points


def measured_as(accuracy, r_af, n_classes=2):
    return Measured(accuracy, accuracy, r_af, r_af, r_af, r_af, r_af, r_af, 10, n_classes)


def point(name, accuracy, r_af):
    training = None if name in (BASELINE, CONSTANT) else Training(name, 0.5)
    return Point(name, name, training, measured_as(accuracy, r_af))


POINTS = [
    point(CONSTANT, 0.7, 0.7),
    point(BASELINE, 0.9, 0.1),
    point("certified", 0.8, 0.6),
    point("adversarial", 0.75, 0.5),
]


def test_the_best_points_are_those_that_no_other_beats():
    for balanced in (False, True):
        found = [each.name for each in best_points(POINTS, balanced=balanced)]
        assert found == [BASELINE, "certified", CONSTANT]


def test_the_table_and_the_picture_show_every_point():
    table = pareto_table(POINTS, "title")
    assert [row[0] for row in table.rows] == [each.name for each in POINTS]
    assert [row[3] for row in table.rows] == ["●", "●", "●", ""]
    drawn = draw_pareto(POINTS, 0.05).decode()
    for text in ("certified", "adversarial", CONSTANT, BASELINE, "ε = 0.05"):
        assert text in drawn
    assert draw_pareto(POINTS, 0.05) == draw_pareto(POINTS, 0.05).decode().encode()


def test_a_point_is_kept_in_json():
    for each in POINTS:
        assert Point.from_dict(json.loads(json.dumps(each.as_dict()))) == each


def test_every_training_has_its_own_name():
    assert len({training.label for training in TRAININGS}) == len(TRAININGS)
    assert {"standard", "certified"} < {training.method for training in TRAININGS}


def test_the_attack_leaves_at_least_what_is_proved(credit, credit_model):
    people = Counterparts.of(credit.schema)
    space = PerturbationSpace.of(credit.schema, 0.02, "paper")
    x, y = credit.test.x[:40], credit.test.y[:40]
    found = measured(credit_model, x, y, people, space, n_people=40)
    status = rafair.certify(credit_model, x, y, people, space).status
    assert found.r_af == pytest.approx((status == 1).double().mean().item())
    assert found.r_af <= found.attacked <= found.r_af_most
    assert found.r_af_balanced <= found.attacked_balanced <= found.r_af_balanced_most


def test_who_stays_open_is_attacked(credit, credit_model, monkeypatch):
    from rafair.training import measuring

    nothing = SimpleNamespace(status=torch.zeros(30, dtype=torch.int64))
    monkeypatch.setattr(measuring, "certify", lambda *_: nothing)
    people = Counterparts.of(credit.schema)
    space = PerturbationSpace.of(credit.schema, 0.05, "paper")
    rows = (credit.test.x[:30], credit.test.y[:30], people, space)
    found = measured(credit_model, *rows, n_people=30)
    point = rafair.attacks.Ensemble().run(credit_model, *rows).x_adv
    kept = rafair.judge(credit_model, point, rows[1], people).cells == 0
    assert (found.r_af, found.r_af_most) == (0, 1)
    assert 0 < found.attacked < 1
    assert found.attacked == pytest.approx(kept.double().mean().item())


def test_the_constant_model_is_measured_without_one(credit, credit_model):
    people = Counterparts.of(credit.schema)
    space = PerturbationSpace.of(credit.schema, 0.02, "paper")
    y = credit.test.y[:40]
    found = measured(credit_model, credit.test.x[:40], y, people, space, n_people=40)
    constant = constant_measured(y, found)
    assert (
        constant.accuracy == constant.r_af == max(y.double().mean().item(), 1 - y.double().mean())
    )
    assert constant.collapsed(2)


def test_the_constant_model_is_measured_on_the_people_of_the_others():
    y = torch.tensor([0] * 70 + [1] * 30)
    drawn = y[torch.randperm(100, generator=torch.Generator().manual_seed(0))[:10]]
    constant = constant_measured(y, measured_as(0.8, 0.6))  # of ten people
    assert constant.accuracy == pytest.approx(0.7)
    assert constant.r_af == constant.attacked == pytest.approx((drawn == 0).double().mean().item())
    assert (constant.balanced_accuracy, constant.r_af_balanced) == (0.5, 0.5)


@pytest.mark.parametrize(("accuracy", "n_classes", "told"), [(0.5, 2, True), (0.6, 2, False)])
def test_a_model_that_is_no_better_than_a_constant_has_collapsed(accuracy, n_classes, told):
    assert measured_as(accuracy, 0.1, n_classes).collapsed(2) is told
    assert measured_as(0.9, 0.1, n_classes=1).collapsed(2)
