"""Run directories: whole or not there."""

import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from rafair import InvalidInput, load_run, write_run
from rafair.runs import check_new_run, update_run
from rafair.runs.files import replace_file

FILES = ["certificates.parquet", "instances.parquet", "manifest.json", "metrics.json"]


def full_disk(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def stored(tmp_path, own_run):
    write_run(own_run, tmp_path / "run")
    return tmp_path / "run"


def everything_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_run_holds_the_documented_files(stored):
    assert everything_below(stored) == FILES


def test_a_run_is_read_as_it_was_written(stored, own_run):
    read = load_run(stored)
    assert read.metrics == json.loads(json.dumps(own_run.metrics))
    assert read.manifest == json.loads(json.dumps(own_run.manifest))
    frames = [run.instances.assign(x=run.instances["x"].map(tuple)) for run in (read, own_run)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_writing_leaves_nothing_else_behind(stored):
    assert [path.name for path in stored.parent.iterdir()] == ["run"]


def test_pages_are_written_beside_the_figures(tmp_path, own_run):
    pages = {"report.html": b"<p>", "figures/one.svg": b"<svg/>"}
    write_run(own_run, tmp_path / "run", lambda _run: pages)
    assert (tmp_path / "run" / "report.html").read_bytes() == b"<p>"
    assert (tmp_path / "run" / "figures" / "one.svg").read_bytes() == b"<svg/>"


def test_missing_parents_are_made(tmp_path, own_run):
    write_run(own_run, tmp_path / "a" / "b" / "run")
    assert load_run(tmp_path / "a" / "b" / "run").metrics["dataset"] == "own"


def test_an_empty_directory_is_used(tmp_path, own_run):
    (tmp_path / "run").mkdir()
    write_run(own_run, tmp_path / "run")
    assert load_run(tmp_path / "run").metrics["dataset"] == "own"


def test_a_finished_run_is_never_overwritten(stored, own_run):
    before = (stored / "metrics.json").read_bytes()
    with pytest.raises(InvalidInput, match="already holds a run"):
        write_run(own_run, stored)
    assert (stored / "metrics.json").read_bytes() == before


def test_a_directory_with_something_in_it_is_refused(tmp_path, own_run):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="is not empty"):
        write_run(own_run, tmp_path)
    assert everything_below(tmp_path) == ["notes.txt"]


def test_a_file_is_refused(tmp_path, own_run):
    path = tmp_path / "run"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match="is a file; name a directory"):
        write_run(own_run, path)
    assert path.read_text() == "mine"


def test_a_dangling_link_is_refused(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="is a file; name a directory"):
        check_new_run(tmp_path / "run")


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInput, match=r"file is a file$"):
        check_new_run(tmp_path / "file" / "deep" / "run")


def test_a_full_disk_leaves_no_run_behind(tmp_path, own_run, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InvalidInput, match="No space left on device") as caught:
        write_run(own_run, tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 1
    assert everything_below(tmp_path) == []


def test_an_interrupted_page_leaves_no_run_behind(tmp_path, own_run):
    def interrupted(_run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_run(own_run, tmp_path / "run", interrupted)
    assert everything_below(tmp_path) == []


def test_a_full_disk_keeps_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InvalidInput, match="No space left on device"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert everything_below(tmp_path) == ["report.html"]


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(b"old and long")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert everything_below(tmp_path) == ["report.html"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    replace_file(tmp_path / "made", b"")
    modes = {(tmp_path / name).stat().st_mode for name in ("usual", "made")}
    assert len(modes) == 1


def test_a_directory_cannot_be_replaced_by_a_file(tmp_path):
    with pytest.raises(InvalidInput, match="is a directory; name a file"):
        replace_file(tmp_path, b"new")


def test_a_file_needs_a_directory_to_lie_in(tmp_path):
    with pytest.raises(InvalidInput, match="no such directory"):
        replace_file(tmp_path / "nowhere" / "file", b"new")


def test_updating_replaces_the_files_of_a_run(stored, own_run):
    from dataclasses import replace

    changed = replace(own_run, metrics={**own_run.metrics, "n_seeds": 5})
    update_run(changed, stored, lambda _run: {"figures/new.svg": b"<svg/>"})
    assert load_run(stored).metrics["n_seeds"] == 5
    assert (stored / "figures" / "new.svg").is_file()


def test_a_full_disk_during_an_update_keeps_the_run_readable(stored, own_run, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InvalidInput, match="No space left on device"):
        update_run(own_run, stored)
    assert everything_below(stored) == FILES
    assert load_run(stored).metrics == json.loads(json.dumps(own_run.metrics))


def test_no_directory_is_no_run(tmp_path):
    with pytest.raises(InvalidInput, match="no such run directory"):
        load_run(tmp_path / "nowhere")


def test_an_empty_directory_is_no_run(tmp_path):
    with pytest.raises(InvalidInput, match="not a run of rafair"):
        load_run(tmp_path)


def test_another_tools_manifest_is_no_run(stored):
    (stored / "manifest.json").write_text('{"tool": "other"}')
    with pytest.raises(InvalidInput, match="not a run of rafair"):
        load_run(stored)


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1, 2]", b""])
def test_damaged_json_is_named(stored, name, content):
    (stored / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{name}: damaged"):
        load_run(stored)


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json"])
def test_missing_json_is_named(stored, name):
    (stored / name).unlink()
    with pytest.raises(InvalidInput, match=f"{name} is missing"):
        load_run(stored)


def test_damaged_instances_are_named(stored):
    (stored / "instances.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match=r"instances\.parquet: cannot be read"):
        load_run(stored)


def test_missing_instances_are_named(stored):
    (stored / "instances.parquet").unlink()
    with pytest.raises(InvalidInput, match=r"instances\.parquet: cannot be read"):
        load_run(stored)
