"""Machine code is kept where it can be, and no folder is needed."""

import numba
import numpy as np
import pytest

from rafair.kernels.compiling import FLOATS, entry, inner


@inner
def twice(number):
    return number + number


def doubled(given, found):
    for place in range(len(given)):
        found[place] = twice(given[place])


def compiled_and_right():
    kernel = entry(FLOATS, FLOATS)(doubled)
    given, found = np.array([1, 2.5], np.float32), np.zeros(2, np.float32)
    kernel(given, found)
    assert found.tolist() == [2, 5]
    return kernel


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def kept(cache):
    return sorted(path for path in cache.rglob("*doubled*") if path.is_file())


def test_machine_code_is_compiled_once_and_kept_in_a_folder_of_the_sources(cache):
    compiled_and_right()
    files = kept(cache)
    times = [path.stat().st_mtime_ns for path in files]
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    assert all(path.relative_to(cache).parts[0].startswith("rafair-") for path in files)
    again = compiled_and_right()
    assert sum(again.stats.cache_hits.values()) == 1
    assert [path.stat().st_mtime_ns for path in kept(cache)] == times
    assert numba.config.CACHE_DIR == ""


def test_a_folder_that_numba_is_given_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "given"))
    compiled_and_right()
    assert kept(tmp_path / "given")


def test_a_folder_that_cannot_be_written_costs_no_more_than_time(cache, monkeypatch):
    (cache / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "file"))
    assert compiled_and_right().stats.cache_path is None


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_file_costs_no_more_than_time(cache, suffix):
    compiled_and_right()
    for path in kept(cache):
        if path.suffix == suffix:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    compiled_and_right()
