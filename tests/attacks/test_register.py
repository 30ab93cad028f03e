"""Attacks of one's own in an audit."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

import rafair
from rafair.attacks import AttackResult, registry
from rafair.attacks.registry import aim_of, attack_classes


@pytest.fixture(autouse=True)
def _own(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})


@dataclass(frozen=True)
class Upwards:
    """Move everything to the upper end of Δ."""

    family: ClassVar[str] = "upwards"
    aim: ClassVar[str] = "accuracy"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = False
    variants: ClassVar[dict] = {"upwards": {}}

    def run(self, model, x, y, counterparts, space):
        return AttackResult(space.hull(x)[1], None, 0)


def test_a_registered_attack_is_audited_under_its_name(credit, credit_model):
    assert rafair.attacks.register(Upwards) is Upwards
    options = {"n_seeds": 8, "counterparts": 12, "certify": False}
    found = rafair.audit(credit_model, credit, attacks=["upwards"], **options)
    assert list(found.metrics["attacks"]) == ["upwards"]
    moved = found.instances.query("stage == 'attacked'")
    assert (moved["x"].map(max) == 1).all()
    assert aim_of("upwards") == "R-ACC"
    assert rafair.attacks.Upwards is Upwards


def test_a_table_with_an_attack_that_is_known_no_more_says_no_aim():
    assert aim_of("upwards") == ""


def test_what_is_no_attack_or_has_a_taken_name_is_refused():
    with pytest.raises(rafair.InvalidInput, match="rafair has an attack 'fgsm'"):
        rafair.attacks.register(type("Mine", (Upwards,), {"family": "fgsm"}))
    with pytest.raises(rafair.InvalidInput, match="Empty has no family"):
        rafair.attacks.register(type("Empty", (), {}))
    parts = dict.fromkeys(("family", "aim", "year", "gradients", "variants", "run"))
    with pytest.raises(rafair.InvalidInput, match="Plain is no dataclass"):
        rafair.attacks.register(type("Plain", (), parts))
    assert "fgsm" in attack_classes()
