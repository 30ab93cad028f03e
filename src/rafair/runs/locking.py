"""A lock on a file that is released when its process ends, even if it is killed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rafair.errors import InvalidInput

__all__ = ["take_lock"]


def take_lock(path: Path) -> sqlite3.Connection:
    """Create a file and lock it; closing the returned connection releases the lock.

    Raises
    ------
    InvalidInput
        If another process, or this one, already holds the lock.
    """
    try:
        # SQLite locks files on every operating system, and the system releases the lock when the
        # process ends, so that a killed process leaves no stale lock.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise InvalidInput(f"cannot write {path}: {error}; name another place") from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        # Some network disks have no locks; on them the lock is not enforced.
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            connection.close()
            raise InvalidInput(
                f"another process is at work in {path.parent.parent}; wait for it, or name another "
                "directory"
            ) from None
    return connection
