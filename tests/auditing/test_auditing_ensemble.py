"""The ensemble through an audit: its members, and whom they broke."""

import pytest
import torch
from torch import nn

import rafair
from brief import brief
from rafair import Plan, audit
from rafair.attacks import Ensemble
from rafair.auditing import batches
from rafair.auditing.batches import Seeds

SMALL = {"n_seeds": 16, "steps": 4, "step_size": 0.02, "certify": False}


@pytest.fixture(scope="module")
def members(certified_run):
    return certified_run.manifest["cost"]["ensemble-af"]["members"]


def test_every_member_names_the_seeds_it_broke(certified_run, members, credit, credit_model):
    chosen = Seeds.chosen(credit_model, credit, Plan(attacks=("ensemble",), **SMALL))
    space = chosen.plan.space(credit.schema)
    with brief():
        result = Ensemble().run(credit_model, chosen.x, chosen.y, chosen.counterparts, space)
    names = [member["name"] for member in members]
    assert names == [member.name for member in result.members]
    for place, member in enumerate(members):
        assert member["broken"] == chosen.index[result.broken_by == place].tolist()
        assert member["tried"] == result.members[place].tried
        assert member["gradients"] == result.members[place].n_gradients
        assert member["forwards"] == result.members[place].n_forwards
        assert member["skipped"] is None
    assert len(members[0]["broken"]) > 0
    assert len(members[1]["broken"]) > 0


def test_whom_the_members_broke_is_whom_the_audit_calls_broken(certified_run, members):
    rows = certified_run.instances
    cells = rows[rows["attack"] == "ensemble"].set_index("seed")["cell"]
    broken = [seed for member in members for seed in member["broken"]]
    assert len(broken) == len(set(broken))
    assert set(broken) == set(cells[cells != "TF"].index)
    clean = rows[rows["attack"] == "clean"].set_index("seed")["cell"]
    assert set(members[0]["broken"]) == set(clean[clean != "TF"].index)


def test_the_cost_of_the_members_is_that_of_the_attack(certified_run, members):
    cost = certified_run.manifest["cost"]["ensemble-af"]
    assert cost["gradients"] == sum(member["gradients"] for member in members)
    assert cost["forwards"] == sum(member["forwards"] for member in members)
    assert "members" not in certified_run.manifest["cost"]["rafair-tb"]


def test_no_other_attack_gets_below_it(certified_run):
    attacks = certified_run.metrics["attacks"]
    assert all(attacks["ensemble"]["r_af"] <= rates["r_af"] for rates in attacks.values())
    assert attacks["ensemble"]["r_af"] < certified_run.metrics["clean"]["af"]


def test_the_members_of_several_shards_are_added_up(members, credit, credit_model, monkeypatch):
    monkeypatch.setattr(batches, "SHARD_ROWS", 3 * 106)
    with brief():
        run = audit(credit_model, credit, attacks="ensemble", **SMALL)
    assert run.manifest["cost"]["ensemble-af"]["members"] == members


def test_a_member_that_cannot_run_says_why(credit):
    module = nn.Sequential(nn.Linear(20, 6), nn.Softshrink(0.01), nn.Linear(6, 2)).double()
    generator = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    model = rafair.wrap(module, output="logits")
    run = audit(model, credit, attacks="ensemble", n_seeds=8, counterparts=12, step_size=0.005)
    _, corner, *others = run.manifest["cost"]["ensemble-af"]["members"]
    assert "this network has Softshrink" in corner["skipped"]
    assert (corner["tried"], corner["broken"], corner["gradients"]) == (0, [], 0)
    assert all(member["skipped"] is None for member in others)


def test_the_worst_iterate_of_an_ensemble_is_its_end(credit, credit_model, certified_run):
    with brief():
        run = audit(credit_model, credit, attacks="ensemble", select="worst", **SMALL)
    worst = run.metrics["attacks"]["ensemble@worst"]
    assert worst["r_af"] == certified_run.metrics["attacks"]["ensemble"]["r_af"]
    assert (
        run.manifest["cost"]["ensemble-af"]["changed"]
        == certified_run.manifest["cost"]["ensemble-af"]["changed"]
    )
