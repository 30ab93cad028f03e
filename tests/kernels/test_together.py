"""Kernels that are missing are compiled by other processes, which leave them in the folder."""

import subprocess

import numba
import pytest

from rafair.kernels import together
from rafair.kernels.together import compile_together


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(together.os, "cpu_count", lambda: 2)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """List the commands of processes instead of starting these."""
    commands, begin = [], subprocess.Popen

    def start(command, **options):
        commands.append(command)
        return begin([command[0], "-c", ""], **options)

    monkeypatch.setattr(together.subprocess, "Popen", start)
    return commands


def kept(cache):
    return [path.name for path in cache.rglob("tree_scores.*.nbi")]


def test_another_process_compiles_what_this_one_does_not(cache):
    assert not kept(cache)
    compile_together("network", "tree_scores")
    assert kept(cache)


def test_what_is_kept_or_alone_starts_nothing(cache, started):
    compile_together("tree_scores")
    for folder in (path for path in cache.iterdir() if path.is_dir()):
        (folder / "kernels").mkdir()
        (folder / "kernels" / "tree_scores.leaves_of-21.nbi").touch()
    compile_together("network", "tree_scores")
    assert not started


def test_one_core_starts_nothing(cache, started, monkeypatch):
    monkeypatch.setattr(together.os, "cpu_count", lambda: 1)
    compile_together("network", "tree_scores")
    assert not started


def test_a_folder_that_cannot_be_written_starts_nothing(cache, started, monkeypatch):
    (cache / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(cache / "file"))
    compile_together("network", "tree_scores")
    assert not started


def test_a_process_that_fails_leaves_the_kernel_to_this_one(cache, started):
    compile_together("network", "tree_scores")
    assert len(started) == 1
    assert not kept(cache)
