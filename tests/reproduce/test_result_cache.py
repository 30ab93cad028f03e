"""What is computed is kept: the same call goes on where an interrupted one stopped."""

import copy
import functools
import itertools
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import rafair
from rafair.reproduce import Study, all_parts, reproduce, result_cache
from rafair.reproduce.cell import TrainedCell
from rafair.reproduce.cells.attacked import AttackCell, CleanCell
from rafair.reproduce.cells.drawn import DrawnCell
from rafair.reproduce.cells.repaired import RepairCell
from rafair.reproduce.cells.trends import TrendCell
from rafair.reproduce.result_cache import ResultCache
from rafair.reproduce.study import Training

KINDS = (CleanCell, AttackCell, RepairCell, TrendCell, DrawnCell, TrainedCell)


@pytest.fixture
def computed(monkeypatch):
    """The cells that were computed, as they come."""
    found = []

    def watched(kind):
        compute = kind.compute

        def watch(cell, cache):
            found.append(cell)
            return compute(cell, cache)

        return watch

    for kind in KINDS:
        monkeypatch.setattr(kind, "compute", watched(kind))
    return found


@pytest.fixture
def copied(tiny, tmp_path):
    shutil.copytree(tiny.path, tmp_path / "copy")
    return replace(tiny, path=tmp_path / "copy")


def times_of(reproduction):
    return {p.name: p.stat().st_mtime_ns for p in (reproduction.path / "cells").iterdir()}


def test_a_second_run_computes_nothing_and_writes_the_same_bytes(copied, computed):
    before, times = copied.written, times_of(copied)
    for path in (copied.path / "figures").iterdir():
        path.unlink()
    (copied.path / "reproduction.html").unlink()
    reproduce(["all"], copied.path, copied.study)
    assert computed == []
    assert copied.written == before
    assert times_of(copied) == times


def test_damaged_cells_are_computed_anew_and_no_others(copied, computed):
    before, written, times = copied.cells, copied.written, times_of(copied)
    first, *others = sorted(before)
    damages = {others[0]: b"", others[1]: b"not safetensors", others[2]: before[others[2]][:-9]}
    for name, content in damages.items():
        (copied.path / "cells" / name).write_bytes(content)
    (copied.path / "cells" / first).unlink()
    reproduce(["all"], copied.path, copied.study)
    assert len(computed) == len(damages) + 1
    assert (copied.cells, copied.written) == (before, written)
    assert {name for name, t in times_of(copied).items() if t != times[name]} == {first, *damages}


def test_an_interrupted_run_in_another_order_goes_on_and_writes_the_same_bytes(
    tiny, tmp_path, computed
):
    seen = []

    def stop_halfway(_what, done, total):
        seen.append(done)
        if done > total / 2:
            raise KeyboardInterrupt

    possible = [
        name
        for name, part in all_parts().items()
        if part.of_paper and part.dataset in (None, "credit")
    ]
    again = replace(tiny, path=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        reproduce(possible[::-1], tmp_path, tiny.study, on_progress=stop_halfway)
    assert seen[0] == 0
    assert not (tmp_path / "reproduction.html").exists()
    kept = set(again.cells)
    assert 0 < len(kept) < len(tiny.cells)
    assert len(computed) == len(kept)
    reproduce(possible[::-1], tmp_path, tiny.study)
    assert len(computed) == len(tiny.cells)
    assert again.cells == tiny.cells
    assert set(again.written) == set(tiny.written)
    for name, content in again.written.items():
        assert content == tiny.written[name], name


def test_progress_runs_from_what_is_stored_to_all(copied):
    for name in sorted(copied.cells)[1::2]:
        (copied.path / "cells" / name).unlink()
    seen = []
    reproduce(["all"], copied.path, copied.study, on_progress=lambda *now: seen.append(now))
    (total,) = {total for _, _, total in seen}
    done = [done for _, done, _ in seen]
    assert 0 < done[0] < done[-1] == total
    assert all(one < other for one, other in itertools.pairwise(done))
    assert seen[0][0].startswith("conclusions credit ")
    assert seen[-1][0] == "page"


SETUP = Study(datasets=("credit",), n_seeds=6, steps=2).setup("credit")


def name_of(path, cell):
    """The file that holds a cell's result."""
    before = set(path.iterdir())
    ResultCache(Study(datasets=("credit",)), path).result(cell)
    found = set(path.iterdir()) - before
    return found.pop().name if found else None


SETUPS = {
    "n_seeds": 5,
    "random_state": 1,
    "steps": 3,
    "step_size": 0.02,
    "setting": "feasible",
    "counterparts": 12,
    "training": Training(1),
}


def test_what_a_cell_depends_on_is_in_its_key(tmp_path, monkeypatch):
    brief = functools.partial(rafair.train_fcnn, epochs=1)
    monkeypatch.setattr("rafair.reproduce.cell.train_fcnn", brief)
    cells = [
        CleanCell(SETUP),
        *(CleanCell(replace(SETUP, **{name: value})) for name, value in SETUPS.items()),
        AttackCell(SETUP, "rafair-tb"),
        AttackCell(SETUP, "rafair-fb"),
        AttackCell(SETUP, "rafair-fb", (("loss", "margin"),)),
        AttackCell(SETUP, "rafair-fb", readings=("last",)),
        AttackCell(replace(SETUP, counterparts=12), "rafair-fb"),
        AttackCell(replace(SETUP, counterparts=12), "rafair-fb", judged_on_all=True),
        TrendCell(SETUP, "rafair-fb"),
        TrainedCell("credit", Training(2)),
        TrainedCell("credit", Training(2, True)),
    ]
    names = [name_of(tmp_path, cell) for cell in cells]
    assert None not in names
    assert all(name.startswith("credit-") for name in names)
    assert [name_of(tmp_path, copy.deepcopy(cell)) for cell in cells] == [None] * len(cells)


def test_the_weights_are_in_a_cells_key(tmp_path, monkeypatch):
    known = name_of(tmp_path, CleanCell(SETUP))
    twin = copy.deepcopy(rafair.baseline("credit").module)
    monkeypatch.setattr(result_cache, "baseline", lambda _: rafair.wrap(twin, output="logits"))
    with torch.no_grad():
        next(iter(twin.parameters())).view(-1)[0] += 1e-6
    changed = name_of(tmp_path, CleanCell(SETUP))
    assert None not in (known, changed)


def test_the_data_are_in_a_cells_key(tmp_path, monkeypatch):
    other = copy.deepcopy(rafair.load_dataset("credit"))
    other.test.y[0] = 1 - other.test.y[0]
    assert name_of(tmp_path, CleanCell(SETUP)) is not None
    monkeypatch.setattr(result_cache, "load_dataset", lambda _: other)
    assert name_of(tmp_path, CleanCell(SETUP)) is not None


def test_the_release_of_torch_is_in_a_cells_key(tmp_path, monkeypatch):
    assert name_of(tmp_path, CleanCell(SETUP)) is not None
    monkeypatch.setattr(torch, "__version__", "0.0.0")
    assert name_of(tmp_path, CleanCell(SETUP)) is not None


@pytest.mark.parametrize(
    ("file", "anew"),
    [
        ("problem/walking.py", True),
        ("attacks/adf.py", True),
        ("reproduce/cells/drawn.py", True),
        ("reproduce/parts/tables.py", False),
        ("report/page.py", False),
        ("cli/app.py", False),
    ],
)
def test_the_code_that_computes_is_in_a_cells_key_and_pages_are_not(
    tmp_path, monkeypatch, file, anew
):
    package, results = tmp_path / "rafair", tmp_path / "cells"
    results.mkdir()
    shutil.copytree(
        Path(rafair.__file__).parent, package, ignore=shutil.ignore_patterns("data", "baselines")
    )
    monkeypatch.setattr(result_cache, "resources", SimpleNamespace(files=lambda _: package))
    assert name_of(results, CleanCell(SETUP)) is not None
    with (package / file).open("a") as source:
        source.write("# another line\n")
    assert (name_of(results, CleanCell(SETUP)) is not None) == anew


def test_a_result_is_the_same_from_memory_from_a_file_and_computed(tmp_path):
    cell, study = AttackCell(SETUP, "rafair-ff"), Study(datasets=("credit",))
    bare, first, second = (
        ResultCache(study),
        ResultCache(study, tmp_path),
        ResultCache(study, tmp_path),
    )
    expected = bare.result(cell)
    assert bare.result(cell) is expected
    for found in (first.result(cell), second.result(cell)):
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert found[name].dtype == value.dtype
            assert torch.equal(found[name], value)


def test_a_place_that_cannot_hold_results_is_reported_in_one_line(tmp_path):
    (tmp_path / "cells").write_text("mine")
    with pytest.raises(rafair.InvalidInput, match=r"cells: .*; make room or name another place"):
        reproduce(["table3"], tmp_path, Study(datasets=("credit",), n_seeds=3, steps=1))
    assert (tmp_path / "cells").read_text() == "mine"
