"""The trade-off between accuracy and proved R-AF, as a part of a reproduction."""

import json

import pytest
import torch

from rafair import Counterparts, PerturbationSpace, load_dataset
from rafair.reproduce import Study, reproduce
from rafair.reproduce.cells.trained import ParetoCell
from rafair.reproduce.result_cache import ResultCache
from rafair.training.pareto import Training, trained_point

FEW = (Training("boosted-stumps", 0.5), Training("boosted-stumps", 0.8, balance=1.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pareto")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rafair.training.measuring.PEOPLE", 20)
        patched.setattr("rafair.reproduce.parts.pareto.TRAININGS", FEW)
        reproduce("pareto", path, Study(datasets=("credit",)))
        yield path


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
    drawn = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))[:20]
    share = (data.test.y[drawn] == data.test.y.mode().values).double().mean().item()
    assert content[0]["figures"]["r_af"] == pytest.approx(share)


def test_an_interrupted_part_goes_on_where_it_stopped(folder, monkeypatch):
    for path in (folder / "reproduction.html", sorted((folder / "cells").iterdir())[-1]):
        path.unlink()
    computed, seen = [], []
    compute = ParetoCell.compute
    monkeypatch.setattr(
        ParetoCell, "compute", lambda self, cache: computed.append(self) or compute(self, cache)
    )
    study = Study(datasets=("credit",))
    reproduce("pareto", folder, study, on_progress=lambda *now: seen.append(now))
    assert len(computed) == 1
    assert (folder / "reproduction.html").exists()
    # What was there at the start is no work of this process: the end expected leaves it out.
    total = seen[0][2]
    assert 0 < seen[0][1] < total
    assert [done for _, done, _ in seen[1:]] == [total]


def test_the_time_expected_depends_on_rows_and_method_not_on_counterparts():
    cache = ResultCache(Study(datasets=("credit", "bank", "compas")))
    standard = Training("standard", 0.0)
    cost = {n: ParetoCell(n, 0.05, standard).cost(cache) for n in cache.study.datasets}
    assert cost["credit"] < cost["compas"] < cost["bank"]
    assert cost["compas"] < 3 * cost["credit"]  # 780 people in I(v), and 106
    worst, stumps = (
        ParetoCell("bank", 0.05, Training(name, 0.5)).cost(cache)
        for name in ("worst-counterpart", "boosted-stumps")
    )
    assert ParetoCell("bank", 0.05).cost(cache) < cost["bank"] < worst
    assert stumps < cost["bank"]
