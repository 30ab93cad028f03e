"""The run directory: shards and lock of an unfinished run, files of a finished one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rafair.errors import InvalidInput
from rafair.runs.files import replace_file, reporting_os_errors
from rafair.runs.identity import check_same_run, digest_of
from rafair.runs.layout import MANIFEST, PLAN, as_json
from rafair.runs.locking import take_lock

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["UNFINISHED", "RunDirectory", "check_new_run", "is_unfinished"]

# The folder of an unfinished run, and what lies in it; a finished run has no such folder.
UNFINISHED, RUN, LOCK, SUFFIX = "unfinished", "run.json", "lock", ".shard"
SEAL = hashlib.sha256().digest_size

State: TypeAlias = Literal["new", "unfinished", "finished", "other"]


def is_unfinished(path: Path) -> bool:
    """Tell whether a run was started here and has not finished."""
    return _state(path) == "unfinished"


def check_new_run(path: Path) -> None:
    """Refuse a path where a run would overwrite something.

    Raises
    ------
    InvalidInput
        If it is a file or a directory with something in it, or no directory can be made there.
    """
    _check_place(path)
    if (path / MANIFEST).exists():
        raise InvalidInput(f"output directory {path} already holds a run; name another one")
    state = _state(path)
    if state == "unfinished":
        raise InvalidInput(
            f"output directory {path} holds an unfinished run; go on with --resume, or name "
            "another one"
        )
    if state == "other":
        raise InvalidInput(f"output directory {path} is not empty; name another one")


def _check_place(path: Path) -> None:
    if path.is_dir():
        if path.is_mount() or path.resolve() == Path.cwd():
            raise InvalidInput(f"output directory {path} cannot be replaced; name one inside it")
    elif path.exists() or path.is_symlink():
        raise InvalidInput(f"output path {path} is a file; name a directory")
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise InvalidInput(f"output path {path}: {parent} is a file")
            break


def _state(path: Path) -> State:
    manifest = _read(path / MANIFEST)
    if manifest is not None:
        return "unfinished" if manifest.get("stopped") else "finished"
    if (path / UNFINISHED).is_dir():
        return "unfinished"
    # A plan alone waits for its run.
    others = path.is_dir() and any(found.name != PLAN for found in path.iterdir())
    return "other" if others else "new"


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, None where there is no file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: damaged, not JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path}: damaged, not a JSON object")
    return found


class RunDirectory:
    """Keeps the shards of a run, and receives its result; a store for ``rafair.audit``.

    Use it in a ``with`` statement. If the block ends early, the finished shards stay and a later
    run continues from them; if no shard is finished, the directory is removed. A run is unfinished
    until ``manifest.json`` exists.

    Parameters
    ----------
    path : path
    resume : bool
        Continue an unfinished run, or return the result of a finished one; if there is neither,
        start one.

    Raises
    ------
    InvalidInput
        If the directory holds something else or, without ``resume``, anything.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path, self.resume = Path(path), resume
        self.is_finished = False
        self._folder = self.path / UNFINISHED
        self._identity: Mapping[str, Any] | None = None
        self._lock: sqlite3.Connection | None = None
        self._is_ours, self._has_result = False, False
        self._made: list[Path] = []
        self._check()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._lock is None:
            if kind is KeyboardInterrupt:  # a plan is kept to be corrected, not where one gave up
                self._remove_made()
            return
        self._lock.close()
        self._lock = None
        nothing = self._is_ours and not (self.is_finished or self._has_result or self.is_kept)
        if self.is_finished or nothing:
            shutil.rmtree(self._folder, ignore_errors=True)
        if nothing:
            self._remove_made()

    def _remove_made(self) -> None:
        for path in reversed(self._made):
            remove = path.rmdir if path.is_dir() else path.unlink
            with contextlib.suppress(OSError):  # it is gone, or somebody else uses it
                remove()

    def begin(self, identity: Mapping[str, Any], /) -> Path | None:
        """Start or continue the run of this identity; return the directory if it is finished.

        Raises
        ------
        InvalidInput
            If another run lies here, or another process works on this one.
        """
        self._check()
        if _state(self.path) != "finished" or self._folder.is_dir():
            self._open()
        # Read only now, under the lock: another process may have written before.
        manifest = _read(self.path / MANIFEST)
        begun = _read(self._folder / RUN)
        known = begun if manifest is None else manifest.get("identity", {})
        if known is not None and not self.resume:
            raise InvalidInput(f"output directory {self.path} was taken just now; name another one")
        if known is not None:
            check_same_run(str(self.path), known, identity)
        if manifest is not None and not manifest.get("stopped"):
            self.is_finished = True
            return self.path
        self._identity, self._is_ours = identity, True
        self._has_result = manifest is not None
        if begun is None:
            replace_file(self._folder / RUN, as_json(identity))
        return None

    def get(self, name: str) -> bytes | None:
        """Return a shard; None where it is missing, damaged or belongs to another run."""
        try:
            content = (self._folder / f"{name}{SUFFIX}").read_bytes()
        except OSError:
            return None
        seal, content = content[:SEAL], content[SEAL:]
        return content if seal == self._sealed(name, content) else None

    def put(self, name: str, content: bytes) -> None:
        """Keep a shard.

        Raises
        ------
        InvalidInput
            On a full disk.
        """
        target = self._folder / f"{name}{SUFFIX}"
        replace_file(target, self._sealed(name, content) + content)

    def keep_plan(self, text: str) -> Path:
        """Write the plan of this run into its directory; return where it lies.

        Raises
        ------
        InvalidInput
            If another plan lies there, or on a full disk.
        """
        self._check()
        path = self.path / PLAN
        if path.exists():
            if path.read_bytes() != text.encode():
                raise InvalidInput(
                    f"{path} is another plan, or was corrected; run it (rafair audit {path}), or "
                    "name another --out"
                )
            return path
        with reporting_os_errors(self.path):
            self._make(self.path)
        self._made.append(path)
        replace_file(path, text.encode())
        return path

    @property
    def is_kept(self) -> bool:
        """Whether finished shards of this run lie here, from which it can continue."""
        return self._is_ours and not self.is_finished and any(self._folder.glob(f"*{SUFFIX}"))

    def finish(self, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
        """Write the result, its manifest last; do nothing if it is already there.

        Parameters
        ----------
        files : mapping of str to bytes
            Contents by path, relative to the directory.
        manifest : mapping
            If its ``stopped`` is true, the shards stay, so that the run can continue.

        Raises
        ------
        InvalidInput
            On a full disk.
        """
        if self.is_finished:
            return
        if self._lock is None:
            self._check()
            self._open()
            self._is_ours = True
        identity = {} if self._identity is None else {"identity": self._identity}
        whole = {**files, MANIFEST: as_json({**manifest, **identity})}
        for name, content in whole.items():
            target = self.path / name
            with reporting_os_errors(self.path):
                self._make(target.parent)
                self._made += [] if target.exists() else [target]
            replace_file(target, content, self._folder)
        self._has_result = True
        self.is_finished = not manifest.get("stopped", False)

    def _check(self) -> None:
        _check_place(self.path)
        if not self.resume or _state(self.path) == "other":
            check_new_run(self.path)

    def _open(self) -> None:
        """Create the directories, and lock the run."""
        with reporting_os_errors(self.path):
            self._make(self._folder)
        self._lock = take_lock(self._folder / LOCK)

    def _make(self, directory: Path) -> None:
        """Create a directory and its parents, and remember which of them are new."""
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        self._made += reversed(missing)

    def _sealed(self, name: str, content: bytes) -> bytes:
        """Return a SHA-256 that only a whole shard of this run has."""
        identity = digest_of(self._identity or {})
        return hashlib.sha256(identity + name.encode() + b"\0" + content).digest()
