"""Run an audit that is killed at every step of its way to a whole directory, and goes on.

    python killed.py FOLDER

Prints how many steps there were. A step is before, within and after each file that is put in place,
and around the removal of what is no longer needed. Each time the run is begun anew, killed there,
taken up again, and compared byte for byte with one that was left alone.
"""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

import torch

import rafair
from rafair.auditing import batches
from rafair.runs import directory, is_unfinished
from rafair.runs.files import replace_file

DATA, MODEL = rafair.load_dataset("credit"), rafair.baseline("credit")


def run(path):
    with rafair.RunDirectory(path, resume=True) as kept:
        given = {"n_seeds": 40, "steps": 1, "step_size": 0.05, "certify": False, "store": kept}
        found = rafair.audit(MODEL, DATA, attacks="rafair-ff", **given)
        rafair.write_run(found, kept, lambda _run: {"figures/one.svg": b"<svg/>"})


def killing(last):
    """Kill this process at the step of this number."""
    steps = itertools.count(1)

    def step():
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def replacing(path, content, aside=None):
        step()
        (Path(aside or path.parent) / f".{path.name}.half").write_bytes(
            content[: len(content) // 2]
        )
        step()
        replace_file(path, content, aside)
        step()

    def removing(path, **options):
        step()
        (path / "run.json").unlink(missing_ok=True)
        step()
        shutil.rmtree(path, **options)
        step()

    directory.replace_file = replacing
    directory.shutil = type("Shutil", (), {"rmtree": staticmethod(removing)})


def forked(work):
    """Do some work in a process of its own; tell whether it lived."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        sys.exit("a run failed")
    return not os.WIFSIGNALED(status)


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def main(folder):
    torch.set_num_threads(1)
    batches.FEW = 20  # so small that there are several shards
    run(folder / "alone")
    expected = files_of(folder / "alone")
    for last in itertools.count(1):
        path = folder / str(last)

        def killed(last=last, path=path):
            killing(last)
            run(path)

        if forked(killed):
            break
        if is_unfinished(path) == (path / "manifest.json").exists():
            sys.exit(f"step {last}: neither finished nor unfinished")
        forked(lambda path=path: run(path))
        if files_of(path) != expected:
            sys.exit(f"step {last}: {sorted(map(str, files_of(path)))} differs")
    print(last - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
