"""Kill runs at random moments, take them up again, and compare what they end with.

    python benchmarks/kills.py [--kills 20] [--engine serial --engine processes --engine ray]
                               [--seeds 150] [--steps 4] [--random-state 0] [--verb audit]

For each engine, ``rafair audit adult … --resume --out DIR`` is killed (SIGKILL) at a random moment
and begun again with the same words, until it ends by itself; then all over in another directory,
until there were so many kills. Half of the moments lie anywhere, from the start of the program on;
the other half where shards exist already. Every second kill takes all processes of the run, the
others only the one that was started, so that its workers are left alone. What a run ends with is
compared byte for byte with a serial run that nobody disturbed. The exit status is 1 if anything
differs. ``--verb certify`` does the same with certificates.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ENGINES = {
    "serial": [],
    "processes": ["--jobs", "2"],
    "ray": ["--jobs", "2", "--backend", "ray"],
}
COMPARED = {
    "audit": ("metrics.json", "instances.parquet"),
    "certify": ("certificates.json", "certificates.parquet"),
}
COMMAND = Path(sys.executable).parent / "rafair"
PATIENCE = 300.0
ERRORS = "errors.txt"


@dataclass
class Tally:
    """What happened with one engine."""

    kills: int = 0
    runs: int = 0
    different: int = 0
    failed: list[str] = field(default_factory=list)
    shards: list[int] = field(default_factory=list)
    orphaned: int = 0

    def __str__(self) -> str:
        found = sum(1 for count in self.shards if count)
        return (
            f"{self.kills} kills ({found} with shards kept, {max(self.shards, default=0)} at most) "
            f"in {self.runs} runs; {self.different} differ, {len(self.failed)} failed; workers "
            f"outlived {self.orphaned}"
        )


def started(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / ERRORS).open("w") as errors:
        return subprocess.Popen(
            [COMMAND, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def shards_of(path: Path) -> int:
    return len(list((path / "unfinished").glob("*.shard")))


def killed(
    process: subprocess.Popen[bytes], path: Path, lasts: float, chance: random.Random
) -> bool:
    """Kill a run at a random moment; tell whether it was still there."""
    if chance.random() < 0.5:
        begun, before = time.monotonic(), shards_of(path)
        while shards_of(path) == before and process.poll() is None:
            time.sleep(0.01)
        lasts -= min(lasts, time.monotonic() - begun)
    try:
        process.wait(chance.uniform(0, lasts))
    except subprocess.TimeoutExpired:
        if chance.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        return True
    return False


def cleared(groups: list[int]) -> int:
    """Kill what is left of runs whose first process was killed; return of how many."""
    left = 0
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
        left += 1
    return left


def contents(path: Path, verb: str) -> list[bytes]:
    return [(path / name).read_bytes() for name in COMPARED[verb]]


def tried(engine: str, words: list[str], folder: Path, options: argparse.Namespace) -> Tally:
    """Kill runs of one engine until there were enough kills, each until it ends by itself."""
    tally, chance = Tally(), random.Random(options.random_state)
    expected = contents(folder / "alone", options.verb)
    path = folder / f"{engine}-0"
    begun = time.monotonic()
    measured = started([*words, *ENGINES[engine], "--out", str(path)], folder)
    measured.wait(PATIENCE)
    lasts = time.monotonic() - begun
    tally.different += measured.returncode != 0 or contents(path, options.verb) != expected
    tally.runs = 1
    while tally.kills < options.kills:
        path = folder / f"{engine}-{tally.runs}"
        tally.runs += 1
        groups: list[int] = []
        while True:
            arguments = [*words, *ENGINES[engine], "--resume", "--out", str(path)]
            process = started(arguments, folder)
            enough = tally.kills >= options.kills
            if not enough and killed(process, path, lasts, chance):
                tally.kills += 1
                tally.shards.append(shards_of(path))
                groups.append(process.pid)
                continue
            process.wait(PATIENCE)
            said = (folder / ERRORS).read_text().strip()
            if process.returncode:
                tally.failed.append(said)
                print(f"  {said}", flush=True)
            else:
                tally.different += contents(path, options.verb) != expected
            tally.different += (path / "unfinished").exists()
            break
        tally.orphaned += cleared(groups)
        shutil.rmtree(path, ignore_errors=True)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--verb", choices=COMPARED, default="audit")
    options = parser.parse_args()
    words = [options.verb, "adult", "--seeds", str(options.seeds), "--quiet"]
    words += {
        "audit": ["--steps", str(options.steps), "--step-size", "0.02"],
        "certify": ["--epsilon", "0.02"],
    }[options.verb]
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = started([*words, "--out", str(folder / "alone")], folder)
        if alone.wait(PATIENCE):
            sys.exit((folder / ERRORS).read_text())
        for engine in options.engine or ENGINES:
            tally = tried(engine, words, folder, options)
            print(f"{options.verb}, {engine}: {tally}", flush=True)
            wrong += tally.different + len(tally.failed)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
