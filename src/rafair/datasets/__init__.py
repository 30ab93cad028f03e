"""The four benchmarks of the paper, and tables of the user."""

from rafair.datasets.benchmark import Benchmark, RawFile
from rafair.datasets.dataset import Dataset, Split
from rafair.datasets.held_out import read_test
from rafair.datasets.registry import benchmark, benchmark_names, load_dataset
from rafair.datasets.table import read_table

__all__ = [
    "Benchmark",
    "Dataset",
    "RawFile",
    "Split",
    "benchmark",
    "benchmark_names",
    "load_dataset",
    "read_table",
    "read_test",
]
