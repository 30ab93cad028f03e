"""A whole test split under RAFair's three modes against the bare loop over as many rows.

    python benchmarks/whole_split.py [NAME] [--steps 20] [--threads 2] [--jobs 1]

The audit is ``rafair audit NAME --seeds all --attack rafair``, a process of its own, from its start
to the last file: reading the data, k-means left aside, attacks, the judge over all of I(v) and
along every attribute, tables and report, without proofs. The bare loop differentiates as many rows,
in as many batches as it likes, and keeps nothing. Printed are both times (of one thread its
processor time, with ``--threads 1``), their ratio, and the audit's peak memory, that of its largest
process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from bare import bare_loop, clock, timed

import rafair
from rafair.attacks import RAFair

START = "import sys; from rafair.cli import main; sys.exit(main())"
# Seeds whose counterparts lie ready in memory; the bare loop goes through them again and again.
READY = 200


def bare_seconds(name: str, steps: int, threads: int) -> tuple[float, int]:
    """Return the bare loop's time over seeds × counterparts × steps × modes, and how many rows."""
    data, model = rafair.load_dataset(name), rafair.baseline(name)
    people = rafair.Counterparts.of(data.schema)
    x, y = data.test.x[:READY].float(), data.test.y[:READY]
    rows, labels = people.expand(x).flatten(0, 1), y.repeat_interleave(len(people))
    total = len(data.test.y) * len(people) * steps * len(RAFair.variants)
    passes, rest = divmod(total, len(rows))

    def run() -> None:
        bare_loop(model.module, rows, labels, passes)
        if rest:
            bare_loop(model.module, rows[:rest], labels[:rest], 1)

    return clock(threads)(run), total


def audit_seconds(name: str, steps: int, jobs: int, threads: int) -> tuple[float, float]:
    """Return the time of the audit and its peak memory in GiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-c", START, "audit", name, "--seeds", "all", "--quiet"),
            *("--steps", str(steps), "--attack", "rafair", "--jobs", str(jobs), "--no-certify"),
            *("--out", str(Path(folder) / "run")),
        ]
        settings = os.environ | {"OMP_NUM_THREADS": str(threads)}
        seconds = timed(lambda: subprocess.run(command, check=True, env=settings))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime if threads == 1 else seconds, used.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="adult")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    audited, peak = audit_seconds(options.name, options.steps, options.jobs, options.threads)
    print(
        f"{options.name}: audit {audited:.1f} s, peak memory of a process {peak:.2f} GiB",
        flush=True,
    )
    bare, rows = bare_seconds(options.name, options.steps, options.threads)
    print(f"bare loop over {rows:,} rows {bare:.1f} s; ratio {audited / bare:.2f}")


if __name__ == "__main__":
    main()
