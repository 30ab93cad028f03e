"""An audit's seeds, cut into batches: neither their size nor their order changes a result."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orders import Shuffled
from rafair import Engine, Plan, audit
from rafair.auditing import batches, certify_seeds, curves
from rafair.auditing.batches import GPU_TIMES, SHARD_ROWS, SHARDS, Seeds, seeds_per_shard
from rafair.engine import Memory
from rafair.plans.attacks import families_of

CPU = torch.device("cpu")
MANY = {"n_seeds": 90, "steps": 2, "step_size": 0.05, "certify": False}


def tables(run):
    def plain(table):
        if table is None:
            return None
        points = [name for name in ("x", "witness", "witness_counterpart") if name in table]
        texts = {n: table[n].map(lambda p: None if p is None else p.tobytes()) for n in points}
        return table.assign(**texts)

    return plain(run.instances), plain(run.certificates)


def assert_same(left, right):
    assert json.dumps(left.metrics) == json.dumps(right.metrics)
    assert json.dumps(left.manifest) == json.dumps(right.manifest)
    for one, other in zip(tables(left), tables(right), strict=True):
        assert (one is None) == (other is None)
        assert one is None or (one.equals(other) and (one.dtypes == other.dtypes).all())


@pytest.fixture(scope="module", autouse=True)
def _small_shards():
    """Cut so small that little data makes several shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.auditing.batches.FEW", 18)
        yield


@pytest.fixture(scope="module")
def whole(credit, credit_model):
    return audit(credit_model, credit, attacks=["rafair", "ensemble-af"], **MANY)


@given(st.integers(1, 100_000), st.integers(1, 2_000_000), st.booleans())
def test_a_shard_is_neither_large_nor_needlessly_small(n, m, gpu):
    device, rows = (torch.device("cuda"), GPU_TIMES * SHARD_ROWS) if gpu else (CPU, SHARD_ROWS)
    size = seeds_per_shard(n, m, device)
    assert size == 1 or size * m <= rows
    few = batches.FEW
    assert size <= few or n / size > SHARDS - 1
    assert size >= min(few, rows // m)


def test_rows_for_a_worker_carry_nobody_else_along(credit, credit_model):
    seeds = Seeds.chosen(credit_model, credit, Plan(n_seeds=50))
    parts = seeds.split(7)
    assert [len(part.y) for part in parts] == [7] * 7 + [1]
    assert torch.equal(torch.cat([part.index for part in parts]), seeds.index)
    assert torch.equal(torch.cat([part.x for part in parts]), seeds.x)
    assert all(part.x.untyped_storage().nbytes() == part.x.nbytes for part in parts)


@settings(max_examples=2)
@given(data=st.data())
def test_an_audit_does_not_depend_on_the_order_of_its_shards(data, credit, credit_model, whole):
    engine = Shuffled(data.draw)
    run = audit(credit_model, credit, attacks=["rafair", "ensemble-af"], **MANY, engine=engine)
    assert_same(run, whole)
    assert engine.calls[0] == 5 * 5


@pytest.mark.parametrize("rows", [1, 7 * 106])
def test_the_size_of_the_shards_does_not_change_an_audit(credit, credit_model, monkeypatch, rows):
    few = {"attacks": ["rafair", "ensemble-af"], **MANY, "n_seeds": 12}
    usual = audit(credit_model, credit, **few)
    monkeypatch.setattr("rafair.auditing.batches.SHARD_ROWS", rows)
    assert_same(audit(credit_model, credit, **few), usual)


def test_two_jobs_give_the_same_audit_and_the_same_certificates(credit, credit_model):
    given_ = {"certify": True, "max_nodes": 20, **MANY, "n_seeds": 40}
    serial, parallel = (
        audit(credit_model, credit, engine=Engine(jobs=jobs), **given_) for jobs in (1, 2)
    )
    assert_same(serial, parallel)


def test_the_controls_are_shards_too(own_data, own_model):
    store, seen = Memory(), []
    given_ = {"attacks": "rafair", "n_seeds": 8, "steps": 1, "step_size": 1e-9, "store": store}
    run = audit(own_model, own_data, **given_, on_progress=lambda *what: seen.append(what[0]))
    assert "rafair control" in seen
    assert store.get("control-rafair-tb-000000") is not None
    again = audit(own_model, own_data, **given_)
    assert_same(run, again)


def test_a_second_audit_with_the_same_store_computes_nothing(credit, credit_model, whole):
    store = Memory()
    given_ = {"attacks": ["rafair", "ensemble-af"], **MANY, "store": store}
    assert_same(audit(credit_model, credit, **given_), whole)

    class Idle:
        def map(self, _function, tasks):
            assert not tasks
            return iter(())

    assert_same(audit(credit_model, credit, **given_, engine=Idle()), whole)


def test_the_budget_of_time_decides_what_is_kept(credit, credit_model, monkeypatch):
    monkeypatch.setattr(curves, "LEAST", 32)
    plan, store = Plan(n_seeds=40, epsilon=0.02, max_nodes=50), Memory()
    stopped = certify_seeds(credit_model, credit, plan, max_seconds=1e-9, store=store)
    assert stopped.manifest["stopped"] is True
    assert store.get("certified-50-000000") is None
    gone_on = certify_seeds(credit_model, credit, plan, store=store)
    usual = certify_seeds(credit_model, credit, plan)
    assert gone_on.manifest == usual.manifest
    assert gone_on.metrics == usual.metrics
    assert store.get("certified-50-000001") is not None
    assert gone_on.metrics != stopped.metrics


def test_a_model_without_gradients_is_refused_before_anything_is_begun(credit, credit_model):
    import rafair

    def decide(rows):
        return (rows.iloc[:, 1] > 20).astype(int)

    blind = rafair.wrap(decide, schema=credit.schema)
    store = Memory()
    store.begin = lambda _identity: pytest.fail("it was begun")
    with pytest.raises(rafair.InvalidInput, match="RAFair needs gradients"):
        audit(blind, credit, attacks="rafair", n_seeds=4, store=store)


def test_the_attack_of_a_shard_is_the_one_of_all(credit, credit_model, whole):
    plan = replace(Plan(), n_seeds=90, steps=2, step_size=0.05)
    seeds = Seeds.chosen(credit_model, credit, plan)
    attack = families_of(plan)["rafair"]["rafair-ff"]
    result = attack.run(seeds.model, seeds.x, seeds.y, seeds.counterparts, seeds.space)
    verdict = seeds.judge(result.x_adv.unsqueeze(0)).verdict
    shares = seeds.dissent(result.x_adv.unsqueeze(0))[0]
    assert whole.metrics["attacks"]["rafair-ff"] == verdict.rates(robust=True, dissent=shares)
    assert whole.manifest["cost"]["rafair-ff"]["gradients"] == result.n_gradients
