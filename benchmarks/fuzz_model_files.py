"""Damage model files of every format, and read each in a process with limits of time and memory.

python benchmarks/fuzz_model_files.py                      # 2,000 files per format
python benchmarks/fuzz_model_files.py --files 200 .onnx    # some of one format

A file is read as ``rafair audit --model FILE`` reads it. It must be refused in one line (exit code
2), or give finite scores, or fail in one line when it is asked for scores. Everything else counts:
a process that ends, a file that takes longer than ``SECONDS``, memory beyond ``GIB``, another
exception.
"""

from __future__ import annotations

import argparse
import collections
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "models"))
FORMATS = (
    *(".safetensors", ".onnx", ".keras", ".h5", ".pt", ".pth", ".pt2", ".skops"),
    *(".json", ".ubj", ".txt", ".pkl", ".joblib"),
)
SECONDS, GIB = 20, 2
FINE = ("refused", "answered", "failed when asked")


def write_bases(suffix: str, folder: Path) -> None:
    """Write the good files of a format: with a linear model or network, and with trees."""
    import skops.io
    from model_files import rows, write
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    import rafair.models  # noqa: F401 - used by the writers

    write(folder, suffix)
    if suffix == ".skops":
        x, y = rows()
        forest = RandomForestClassifier(3, max_depth=3, random_state=0).fit(x, y)
        boosted = HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=5).fit(x, y)
        skops.io.dump(forest, folder / "forest.skops")
        skops.io.dump(boosted, folder / "boosted.skops")


def limit() -> None:
    """Let the process allocate only so much more than it has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + GIB * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def outcome(path: Path) -> str:
    """Return what becomes of a file."""
    import torch

    from rafair.errors import InvalidInput, ModelFailed
    from rafair.models.loading import load_model

    try:
        model = load_model(path)
    except InvalidInput as error:
        chain: BaseException | None = error
        while chain is not None:
            if isinstance(chain, MemoryError) or "allocate" in str(chain):
                return "memory"
            chain = chain.__cause__
        return "refused" if "\n" not in str(error) else "several lines"
    try:
        scores = model.scores(torch.zeros(2, getattr(model, "width", 6), dtype=model.dtype))
    except (ModelFailed, InvalidInput):
        return "failed when asked"
    return "answered" if scores.shape[0] == 2 else f"shape {tuple(scores.shape)}"


def work(good_folder: Path, suffix: str, first: int, last: int) -> None:
    """Read the files from first to before last, and print what becomes of each."""
    from mutated import damaged

    warnings.simplefilter("ignore")
    sink = sys.stdout
    sys.stdout = sys.stderr
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model{suffix}")
        good = [one.read_bytes() for one in sorted(good_folder.glob(f"*{suffix}"))]
        path.write_bytes(good[0])
        outcome(path)  # imports what it needs
        limit()
        for number in range(first, last):
            print(f"{number} ...", file=sink, flush=True)
            path.write_bytes(damaged(good[number % len(good)], suffix, number))
            try:
                what = outcome(path)
            except Exception as error:  # noqa: BLE001 - what the benchmark looks for
                what = f"{type(error).__name__}: {str(error).splitlines()[:1]}"
            print(f"{number} {what}", file=sink, flush=True)


def run(good: Path, suffix: str, first: int, last: int) -> tuple[list[tuple[int, str]], int]:
    """Run a process until it ends or hangs; return what it said, and where to go on."""
    command = [sys.executable, __file__, "--work", str(good), suffix, str(first), str(last)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, daemon=True).start()
    found: list[tuple[int, str]] = []
    at, wait = -1, 300.0  # imports take a while
    while True:
        try:
            line = lines.get(timeout=wait)
        except queue.Empty:
            process.kill()
            return [*found, (at, f"longer than {wait:.0f} s")], at + 1
        if line is None:
            break
        number, _, what = line.strip().partition(" ")
        at, wait = int(number), float(SECONDS)
        if what != "...":
            found.append((at, what))
    if process.wait() == 0:
        return found, last
    if at < 0:
        sys.exit(f"{suffix}: a process ended before it read a file")
    return [*found, (at, f"the process ended with {process.returncode}")], at + 1


def main() -> None:
    """Print a line per format, and the number of every file that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("formats", nargs="*", default=FORMATS)
    given = parser.parse_args()
    if given.work:
        folder, suffix, first, last = given.work
        work(Path(folder), suffix, int(first), int(last))
        return
    with tempfile.TemporaryDirectory() as folder:
        failed = [read_all(Path(folder), one, given.files) for one in given.formats]
    sys.exit(any(failed))


def read_all(folder: Path, suffix: str, files: int) -> bool:
    """Read the files of a format; tell whether one failed."""
    write_bases(suffix, folder)
    start, told, at, failed = time.time(), collections.Counter[str](), 0, False
    while at < files:
        found, at = run(folder, suffix, at, files)
        told.update(what for _, what in found)
        for number, what in found:
            if what not in FINE:
                failed = True
                print(f"{suffix} {number}: {what}", flush=True)
    counts = ", ".join(f"{what} {n}" for what, n in told.most_common())
    seconds = time.time() - start
    print(f"{suffix}: {sum(told.values())} files, {seconds:.0f} s: {counts}", flush=True)
    return failed


if __name__ == "__main__":
    main()
