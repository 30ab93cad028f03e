"""Writes files so that a reader never sees an incomplete one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_file_target", "current_umask", "replace_file", "reporting_os_errors"]


@contextlib.contextmanager
def reporting_os_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission and similar errors into one clear line.

    Raises
    ------
    InvalidInput
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(
            f"cannot write {path}: {reason}; make room or name another place"
        ) from error


def current_umask() -> int:
    """Return the permission bits that new files and directories are created without."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def check_file_target(path: Path) -> None:
    """Refuse a path that cannot become a file.

    Raises
    ------
    InvalidInput
    """
    if path.is_dir():
        raise InvalidInput(f"{path} is a directory; name a file")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path.parent}: no such directory")


def replace_file(path: Path, content: bytes, aside: Path | None = None) -> None:
    """Write a temporary file, then move it into place; an existing file stays whole until then.

    Parameters
    ----------
    aside : Path, optional
        The directory of the temporary file, on the same disk; by default that of the file.

    Raises
    ------
    InvalidInput
        If the path is a directory, its parent does not exist, or the disk is full.
    """
    check_file_target(path)
    with reporting_os_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=aside or path.parent)
        os.close(handle)
        written = Path(name)
        try:
            written.write_bytes(content)
            with written.open("r+b") as file:
                os.fsync(file.fileno())
            written.chmod(0o666 & ~current_umask())
            written.replace(path)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
