"""The trade-off between accuracy and proved R-AF, as a part of a reproduction."""

import json

import pytest

from rafair import Counterparts, PerturbationSpace, load_dataset
from rafair.reproduce import Study, reproduce
from rafair.training.pareto import Training, trained_point

FEW = (Training("boosted-stumps", 0.5), Training("boosted-stumps", 0.8, balance=1.0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("rafair.training.measuring.PEOPLE", 20)
    monkeypatch.setattr("rafair.reproduce.parts.pareto.TRAININGS", FEW)
    reproduce("pareto", tmp_path, Study(datasets=("credit",)))
    return tmp_path


def test_every_model_stands_in_the_table_the_picture_and_the_json(folder):
    content = json.loads((folder / "reproduction.json").read_text())["pareto"]["credit"]
    names = ["constant model", "baseline", *(each.label for each in FEW)]
    assert [point["name"] for point in content] == names
    notes = (folder / "reproduction.md").read_text()
    assert all(f"| {name} |" in notes for name in names)
    drawn = (folder / "figures" / "pareto-credit.svg").read_text()
    assert all(each.method in drawn for each in FEW)

    data = load_dataset("credit")
    problem = Counterparts.of(data.schema), PerturbationSpace.of(data.schema, 0.05, "paper")
    assert content[-1] == json.loads(json.dumps(trained_point(FEW[1], data, *problem).as_dict()))
    assert content[0]["figures"]["r_af"] == content[0]["figures"]["accuracy"]
