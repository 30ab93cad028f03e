"""Keeps the directory of a run, and says how to continue a run that stopped early."""

from __future__ import annotations

import contextlib
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from rafair.errors import Interrupted, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.runs import RunDirectory

__all__ = [
    "Resume",
    "check_resumable",
    "command_of_result",
    "command_to_resume",
    "kept_run",
    "resumable",
]

# Options on which no result depends, and whether a value follows them.
WITHOUT_EFFECT = {
    **dict.fromkeys(("--out", "--jobs", "--backend", "--engine", "--address"), True),
    **dict.fromkeys(("--resume", "--quiet"), False),
}

Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --out, or begin it.")
]


def check_resumable(resume: bool, out: Path | None) -> None:
    """Refuse ``--resume`` without a directory.

    Raises
    ------
    InvalidInput
    """
    if resume and out is None:
        raise InvalidInput("--resume goes on with a run directory; name it with --out")


@contextlib.contextmanager
def kept_run(
    out: Path | None, name: str, typed: Sequence[str], *, resume: bool
) -> Iterator[RunDirectory]:
    """Open the directory of a run, which keeps the finished shards if the run stops early.

    Parameters
    ----------
    out : Path, optional
        The directory; by default a new one in ``runs``, named after ``name`` and the time.
    typed : sequence of str
        The command line, from which the command that continues the run is made.
    resume : bool
        Continue the run in the directory.
    """
    from rafair.runs import RunDirectory, free_run

    path = out or free_run(Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}")
    with RunDirectory(path, resume=resume) as directory, resumable(directory, typed):
        yield directory


@contextlib.contextmanager
def resumable(run: RunDirectory, typed: Sequence[str]) -> Iterator[None]:
    """Add to any error that stops a run the command that continues it.

    Raises
    ------
    Interrupted
        Instead of ``KeyboardInterrupt``, if finished shards are kept.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not run.is_kept:
            raise
        stopped = Interrupted(f"interrupted; what is finished is kept in {run.path}")
        stopped.add_note(command_to_resume(typed, run.path))
        raise stopped from None
    except Exception as error:
        if run.is_kept:
            error.add_note(command_to_resume(typed, run.path))
        raise


def command_to_resume(typed: Sequence[str], out: Path) -> str:
    """Return the typed command with the options that make it continue the run."""
    words = list(typed)
    words += [] if "--resume" in words else ["--resume"]
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(out)]
    return f"go on with: {shlex.join(['rafair', *words])}"


def command_of_result(typed: Sequence[str]) -> list[str]:
    """Return the typed command without where it writes, who computes and how much it tells.

    A run that was interrupted and continued thereby keeps the same command as one that was not.
    """
    words = iter(typed)
    kept: list[str] = []
    for word in words:
        if word == "--":  # what follows are no options
            return [*kept, word, *words]
        name, equals, _ = word.partition("=")
        if name not in WITHOUT_EFFECT:
            kept.append(word)
        elif WITHOUT_EFFECT[name] and not equals:
            next(words, None)
    return kept
