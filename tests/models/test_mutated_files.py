"""Damaged model files of every format: refused in one line, or read and asked for finite scores.

``benchmarks/fuzz_model_files.py`` does the same with thousands of files, and limits of memory.
"""

import pytest
import torch
from model_files import write
from mutated import damaged

import rafair
from rafair.models.loading import load_model

FILES = 50

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # libraries warn about what they read
]


@pytest.mark.parametrize(
    "suffix",
    [".safetensors", ".onnx", ".keras", ".h5", ".pt", ".pth", ".skops", ".json", ".ubj", ".txt"],
)
def test_a_damaged_file_is_refused_or_answers(tmp_path, suffix):
    path = write(tmp_path, suffix)
    good = path.read_bytes()
    told = []
    for number in range(FILES):
        path.write_bytes(damaged(good, suffix, number))
        told.append(outcome(path))
    assert set(told) <= {"refused", "answered"}
    assert "refused" in told


def outcome(path):
    """Return what becomes of a file; anything but a line of ours is raised."""
    try:
        model = load_model(path)
        scores = model.scores(torch.zeros(2, 6, dtype=model.dtype))
    except rafair.InvalidInput as error:
        return "refused" if "\n" not in str(error) else "several lines"
    return "answered" if len(scores) == 2 else f"{len(scores)} rows"


def test_the_same_number_is_the_same_damage():
    data = bytes(range(200))
    assert damaged(data, ".x", 3) == damaged(data, ".x", 3) != damaged(data, ".x", 4)
