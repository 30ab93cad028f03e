"""Cells that are computed by several workers are those that are computed here, to the byte."""

import pickle
from dataclasses import dataclass, replace

import pytest

from rafair import InvalidInput
from rafair.engine.backends import Engine
from rafair.reproduce import Study, all_parts, reproduce, result_cache
from rafair.reproduce.cells.attacked import AttackCell, CleanCell
from rafair.reproduce.cells.repaired import repair_cells
from rafair.reproduce.result_cache import ResultCache
from rafair.reproduce.stages import stages, with_needs

SMALL = Study(datasets=("credit",), n_seeds=5, steps=2, trend_seeds=3, trend_steps=3)
SETUP = SMALL.setup("credit")


@pytest.fixture
def connection():
    """A connection to Ray that the program itself has made."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(
            "local",
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            log_to_driver=False,
            logging_level="ERROR",
        )
        yield
        ray.shutdown()


@pytest.fixture
def nothing_computed_here(monkeypatch):
    """Whoever computes in this process fails."""

    def refuse(cell, cache):
        raise AssertionError(cell)

    for kind in (CleanCell, AttackCell):
        monkeypatch.setattr(kind, "compute", refuse)


def test_several_processes_compute_only_what_is_missing_and_write_the_same_bytes(
    tiny, tmp_path, nothing_computed_here
):
    again = replace(tiny, path=tmp_path)
    (tmp_path / "cells").mkdir()
    for name in sorted(tiny.cells)[1::2]:
        (tmp_path / "cells" / name).write_bytes(tiny.cells[name])
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    seen = []
    reproduce(
        ["all"], tmp_path, tiny.study, engine=Engine(2), on_progress=lambda *now: seen.append(now)
    )
    assert again.cells == tiny.cells
    assert again.written == tiny.written
    assert {p: p.stat().st_mtime_ns for p in times} == times
    done = [count for _, count, _ in seen]
    assert done == sorted(set(done))
    assert 0 < done[0] < done[-1] == seen[0][2]
    assert seen[-1][0] == "page"


class Updated(Engine):
    """Stands in for a machine with another release."""

    def map(self, function, tasks):
        there = pickle.loads(pickle.dumps(function))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ResultCache, "_code", "of another release")
            yield from super().map(there, tasks)


def test_a_worker_with_other_code_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"^a worker has another rafair, or .* torch; inst"):
        ResultCache(SMALL, tmp_path).run([("some", CleanCell(SETUP))], Updated())
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_has_computed_is_kept(tiny, tmp_path):
    def stop_halfway(_what, done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    again = replace(tiny, path=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        reproduce(["table4"], tmp_path, tiny.study, engine=Engine(2), on_progress=stop_halfway)
    kept = again.cells
    assert kept
    assert kept.items() <= tiny.cells.items()
    reproduce(["table4"], tmp_path, tiny.study)
    assert kept.items() < again.cells.items()
    assert again.data["table4"] == tiny.data["table4"]


def test_a_cluster_writes_the_same_bytes(tmp_path, connection):
    paths = [tmp_path / name for name in ("here", "there")]
    for path, engine in zip(paths, (None, Engine(1, "ray")), strict=True):
        reproduce(["table4"], path, SMALL, engine=engine)
    here, there = (
        {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}
        for path in paths
    )
    assert here == there
    assert len(here) > 10


def test_workers_get_the_seeds_that_were_chosen_here(monkeypatch):
    bench = ResultCache(SMALL)
    chosen = bench.chosen("credit", 5, 0)
    there = result_cache.ResultCache(*bench.__reduce__()[1])
    monkeypatch.setattr(result_cache, "choose_seeds", lambda *_: pytest.fail("chosen again"))
    assert set(there._kept) == {
        name for name in bench._kept if name.startswith(result_cache.CHOSEN)
    }
    assert there.chosen("credit", 5, 0) is chosen
    assert there.directory is None


ATTACKS = (AttackCell(SETUP, "rafair-tb"), AttackCell(SETUP, "rafair-ff"))


@pytest.mark.parametrize("name", all_parts())
def test_a_part_with_what_its_cells_need_can_be_computed_in_stages(name):
    part = all_parts()[name]
    study = Study() if part.dataset is None else Study(datasets=(part.dataset,))
    cells = [cell for _, cell in with_needs((name, cell) for cell in part.cells(study))]
    done = set()
    for stage in stages(cells):
        assert stage
        assert all(done.issuperset(cell.needs) for cell in stage)
        assert done.isdisjoint(stage)
        done.update(stage)
    assert done == set(cells)


def test_what_is_needed_comes_before_and_is_asked_for_once():
    repairs = repair_cells(SETUP, ATTACKS)
    work = with_needs([("a", repairs[0]), ("b", ATTACKS[1]), ("b", repairs[1])])
    assert work == [
        ("a", ATTACKS[0]),
        ("a", ATTACKS[1]),
        ("a", repairs[0]),
        ("b", ATTACKS[1]),
        ("b", repairs[1]),
    ]
    assert list(stages(cell for _, cell in work)) == [list(ATTACKS), repairs[:2]]


def test_a_cell_does_not_ask_for_more_than_it_says(monkeypatch):
    """A worker would compute it by itself, and again in every worker."""
    asked = []
    result = ResultCache.result

    def watched(bench, cell):
        asked.append(cell)
        return result(bench, cell)

    monkeypatch.setattr(ResultCache, "result", watched)
    bench = ResultCache(SMALL)
    for cell in (CleanCell(SETUP), ATTACKS[0], ATTACKS[1], *repair_cells(SETUP, ATTACKS)):
        asked.clear()
        cell.compute(bench)
        assert set(asked) == set(cell.needs)


@dataclass(frozen=True)
class Chained:
    """Needs the one before it."""

    place: int

    @property
    def needs(self):
        return (Chained(self.place - 1),) if self.place else ()


def test_a_chain_is_computed_link_by_link():
    work = with_needs([("part", Chained(3))])
    assert [cell.place for _, cell in work] == [0, 1, 2, 3]
    assert [len(stage) for stage in stages(cell for _, cell in work)] == [1, 1, 1, 1]
