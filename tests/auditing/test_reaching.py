"""Certificates of cells through ``certify_seeds``: shards, tables, what is refused."""

import numpy as np
import pytest
import torch

import rafair
from rafair import Plan, RunDirectory
from rafair.auditing import certify_seeds, reaching
from rafair.auditing.batches import Seeds
from rafair.certificates import certify_cells
from rafair.fairness import CELLS
from rafair.report.tables import cells_table
from rafair.runs import load_certificates, write_certificates

PLAN = Plan(n_seeds=12, epsilon=0.1, max_nodes=100)
RADII = (0.02, 0.1)
WORDS = {1: "reachable", 0: "undecided", -1: "impossible"}


@pytest.fixture(scope="module")
def found(credit, credit_model):
    return certify_seeds(credit_model, credit, PLAN, (), cells=CELLS, epsilons=RADII)


@pytest.mark.parametrize("place", [0, 1])
def test_the_verdicts_are_those_of_certify_cells(found, credit, credit_model, place):
    seeds = Seeds.chosen(credit_model, credit, PLAN)
    space = rafair.PerturbationSpace.of(credit.schema, RADII[place])
    alone = certify_cells(credit_model, seeds.x, seeds.y, seeds.counterparts, space, 100)
    point = found.metrics["curve"][place]
    assert point["epsilon"] == RADII[place]
    for column, cell in enumerate(CELLS):
        rows = found.instances[
            (found.instances["claim"] == cell) & (found.instances["epsilon"] == RADII[place])
        ]
        status = alone.status[:, column].tolist()
        assert rows["status"].tolist() == [WORDS[value] for value in status]
        assert point["cells"][cell]["reachable"] == pytest.approx(status.count(1) / 12)
        for value, witness, point_ in zip(
            status, rows["witness"], alone.witness[:, column], strict=True
        ):
            if value == 1:
                assert np.array_equal(witness, point_.to(torch.float64).numpy())
            else:
                assert witness is None


def test_cells_alone_leave_the_claims_out_and_both_can_be_asked(found, credit, credit_model):
    assert all(point["claims"] == {} for point in found.metrics["curve"])
    both = certify_seeds(credit_model, credit, PLAN, ["accurate"], cells=["FF"])
    (point,) = both.metrics["curve"]
    assert list(point["claims"]) == ["accurate"]
    assert list(point["cells"]) == ["FF"]
    assert set(both.instances["claim"]) == {"accurate", "FF"}


def test_shards_and_a_directory_change_nothing(found, credit, credit_model, monkeypatch, tmp_path):
    monkeypatch.setattr(reaching, "SHARD", 5)
    with RunDirectory(tmp_path / "run") as run:
        again = certify_seeds(
            credit_model, credit, PLAN, (), cells=CELLS, epsilons=RADII, store=run
        )
        write_certificates(again, run)
    assert again.metrics == found.metrics
    assert load_certificates(tmp_path / "run").metrics == found.metrics
    with (
        RunDirectory(tmp_path / "run", resume=True) as run,
        pytest.raises(rafair.InvalidInput, match="the certificates: cells TF, TB, FF, FB, not TB"),
    ):
        certify_seeds(credit_model, credit, PLAN, (), cells=["TB"], epsilons=RADII, store=run)


def test_what_time_does_not_allow_is_undecided(credit, credit_model):
    found = certify_seeds(credit_model, credit, PLAN, (), cells=["FF"], max_seconds=1e-9)
    assert found.manifest["stopped"] is True
    assert found.metrics["curve"][0]["cells"]["FF"]["undecided"] == 1


def test_the_table_has_a_line_per_cell_and_radius(found):
    table = cells_table(found.metrics, found.metrics["curve"])
    assert [row[:2] for row in table.rows] == [(c, e) for c in CELLS for e in ("0.02", "0.1")]
    for row in table.rows:
        assert sum(map(float, row[2:])) == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize(
    ("claims", "cells", "text"),
    [((), (), "one claim or cell"), ((), ("XX",), "unknown cell 'XX'; use TF or TB or FF or FB")],
)
def test_nothing_to_certify_is_refused(credit, credit_model, claims, cells, text):
    with pytest.raises(rafair.InvalidInput, match=text):
        certify_seeds(credit_model, credit, PLAN, claims, cells=cells)
