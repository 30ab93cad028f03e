"""Benchmarks are found by being there."""

import pytest

from rafair import InvalidInput, load_dataset
from rafair.datasets import benchmark, benchmark_names


def test_the_four_benchmarks_are_found():
    assert benchmark_names() == ("adult", "bank", "compas", "credit")


@pytest.mark.parametrize("name", ["iris", "", "Adult", "../adult", "adult.parquet"])
def test_an_unknown_dataset_is_refused_with_the_names_that_exist(name):
    with pytest.raises(InvalidInput) as caught:
        load_dataset(name)
    assert str(caught.value) == (
        f"unknown dataset {name!r}; use one of adult, bank, compas, credit"
    )


@pytest.mark.parametrize("name", benchmark_names())
def test_a_benchmark_describes_itself_completely(name):
    described = benchmark(name)
    assert described.name == name
    assert described.path().is_file()
    assert all(len(raw.sha256) == 64 for raw in described.raw)
    for text in (described.title, described.source, described.licence, described.citation):
        assert text.strip()


def test_a_dropped_in_module_becomes_a_dataset(monkeypatch, tmp_path):
    from rafair.datasets import benchmarks, registry

    (tmp_path / "newcomer.py").write_text(
        "from dataclasses import replace\n"
        "from rafair.datasets.benchmarks.credit import BENCHMARK as credit\n"
        "BENCHMARK = replace(credit, name='newcomer')\n"
    )
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    registry._registry.cache_clear()
    try:
        assert "newcomer" in benchmark_names()
        assert benchmark("newcomer").title == benchmark("credit").title
    finally:
        registry._registry.cache_clear()
        __import__("sys").modules.pop("rafair.datasets.benchmarks.newcomer", None)
